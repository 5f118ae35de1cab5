// Parser selects on expressions, concatenations, ranges, enums and truth values; verify.
#include <core.p4>
#include <v1model.p4>
enum bit<8> Kind {
    A = 1, B = 2, C = 0x80
}
header a_t {
    bit<8> x;
    bit<4> y;
    bit<12> z;
    Kind k;
    int<8> i;
    bit<1> f;
    bit<7> g;
}
header o_t {
    bit<8> r;
}
struct headers {
    o_t o;
    a_t a;
    a_t b;
}
struct meta {
    bit<8> r;
    bool flag;
}
error {
    Mine, Other
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        m.r = 0;
        m.flag = false;
        p.extract(h.a);
        transition select(h.a.x & 0xf, h.a.y + 1, h.a.z[7:0]) {
            (0, _, _): s0;
            (1 &&& 5, 0..3, _): s1;
            (_, 2, 0x0..0x7f): s2;
            (2, 15, default): s3;
            default: s4;
        }
    }
    state s0 {
        m.r = 1;
        transition select(h.a.k) {
            Kind.A: s1;
            Kind.B: s2;
            Kind.C: s4;
        }
    }
    state s1 {
        m.r = m.r + 2;
        transition select(h.a.y ++ h.a.z, h.a.f == 1) {
            (0x0, true): accept;
            (0x1000 &&& 0xf000, false): s4;
            (_, true): s5;
            (_, false): s2;
        }
    }
    state s2 {
        m.r = m.r + 4;
        m.flag = h.a.i > 3;
        transition select(m.flag) {
            true: s4;
            false: s5;
        }
    }
    state s3 {
        m.r = m.r + 8;
        transition select(h.a.i) {
            8s5: s4;
            8s6: s5;
            8s7: accept;
        }
    }
    state s4 {
        p.extract(h.b);
        verify(h.b.x != 3, error.Mine);
        verify(h.b.y < 14, error.Other);
        transition select(h.b.k) {
            Kind.A: accept;
            Kind.C: reject;
            default: s5;
        }
    }
    state s5 {
        m.r = m.r | 0x40;
        transition select(h.a.x - (h.a.y ++ 4w3)) {
            3: accept;
            4..0x3f: accept;
            0xff: reject;
        }
    }
}
control V(inout headers h, inout meta m) {
    apply {
    }
}
control I(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.o.setValid();
        h.o.r = m.r;
        if (s.parser_error == error.Mine) s.egress_spec = 2;
        if (s.parser_error == error.Other) s.egress_spec = 3;
        if (s.parser_error == error.NoMatch) s.egress_spec = 4;
        if (s.parser_error == error.PacketTooShort) s.egress_spec = 5;
        if (s.parser_error == error.ParserInvalidArgument) s.egress_spec = 6;
        h.o.r[7:7] = (bit<1>)(bool)(m.flag);
    }
}
control E(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
    }
}
control U(inout headers h, inout meta m) {
    apply {
    }
}
control D(packet_out p, in headers h) {
    apply {
        p.emit(h.o);
        p.emit(h.a);
        p.emit(h.b);
    }
}
V1Switch(P(), V(), I(), E(), U(), D()) main;
