// Lookahead of fields, headers and structs, advance, and what they do at the packet's end.
#include <core.p4>
#include <v1model.p4>
header a_t {
    bit<3> x;
    bit<5> y;
    bit<16> z;
}
header b_t {
    bit<64> w;
}
header o_t {
    bit<16> a;
    bit<64> b;
    bit<8> e;
}
struct pair {
    bit<12> p;
    bit<4> q;
}
struct headers {
    a_t a;
    b_t b;
    o_t o;
}
struct meta {
    bit<64> w;
    bit<16> z;
    bit<8> st;
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        m.st = 0;
        m.w = 0;
        m.z = 0;
        transition select(p.lookahead<bit<3>>(), p.lookahead<a_t>().y) {
            (0, _): look;
            (1, 1..9): adv;
            (2, _): skip;
            (3,_): vadv;
            (4,_): st;
            default: ext;
        }
    }
    state look {
        m.w = p.lookahead<bit<64>>();
        m.st = 1;
        transition ext;
    }
    state adv {
        p.advance(24);
        m.z = p.lookahead<a_t>().z;
        m.st = 2;
        transition ext;
    }
    state skip {
        p.extract<b_t>(_);
        m.st = 3;
        transition ext;
    }
    state vadv {
        p.extract(h.a);
        p.advance((bit<32>)h.a.y * 8);
        m.st = 4;
        transition extb;
    }
    state st {
        pair q = p.lookahead<pair>();
        m.z = (bit<16>)q.p;
        p.advance(16);
        m.st = 5;
        transition select(q.q) {
            0..3: ext;
            default: extb;
        }
    }
    state ext {
        p.extract(h.a);
        transition select(h.a.z) {
            0: extb;
            1: reject;
            default: accept;
        }
    }
    state extb {
        p.extract(h.b);
        m.st = m.st + 0x10;
        transition accept;
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
        h.o.a = m.z;
        h.o.b = m.w;
        h.o.e = m.st;
        if (s.parser_error == error.PacketTooShort) s.egress_spec = 2;
        else if (s.parser_error != error.NoError) s.egress_spec = 3;
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
