// A header stack filled by a sub-parser that is applied twice; pushes and pops afterwards.
#include <core.p4>
#include <v1model.p4>
header a_t {
    bit<8> k;
    bit<8> v;
}
struct headers {
    a_t first;
    a_t[3] s;
    a_t[2] t;
    a_t o;
}
struct meta {
    bit<8> n;
    bit<32> li;
}
parser Sub(packet_in p, inout a_t[3] s, inout meta m) {
    state start {
        transition select(p.lookahead<bit<8>>()) {
            0x00..0x07: more;
            default: done;
        }
    }
    state more {
        p.extract(s.next);
        m.n = m.n + s.last.v;
        m.li = s.lastIndex;
        transition start2;
    }
    state start2 {
        transition select(s.last.k, m.n) {
            (0x00..0x03, _): start;
            (4, 0x10 &&& 0xf0): accept;
            default: done;
        }
    }
    state done {
        transition accept;
    }
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    Sub() sub;
    state start {
        m.n = 0;
        p.extract(h.first);
        transition select(h.first.k[1:0]) {
            0: one;
            1: two;
            2: third;
            default: accept;
        }
    }
    state one {
        sub.apply(p, h.s, m);
        transition select(m.n) {
            0: third;
            default: two;
        }
    }
    state two {
        sub.apply(p, h.s, m);
        transition third;
    }
    state third {
        p.extract(h.t[1]);
        p.extract(h.t[0]);
        transition select(h.t[0].k ++ h.t[1].k) {
            0x0000 &&& 0x0101: accept;
            default: four;
        }
    }
    state four {
        h.t[0].v = (bit<8>) m.li + h.t[1].v;
        transition accept;
    }
}
control V(inout headers h, inout meta m) {
    apply {
    }
}
control I(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        if (!h.first.isValid()) h.first.setValid();
        h.o.setValid();
        h.o.k = (bit<8>)m.li;
        h.o.v = m.n;
        s.egress_spec = 1;
        if (s.parser_error == error.StackOutOfBounds) s.egress_spec = 2;
        else if (s.parser_error == error.PacketTooShort) s.egress_spec = 3;
        else if (s.parser_error != error.NoError) s.egress_spec = 4;
        if (h.s[2].isValid()) h.s[0] = h.s[2];
        if (h.first.v[0:0] == 1) h.s.push_front(1);
        if (h.first.v[1:1] == 1) h.s.pop_front(2);
        if (h.first.v[2:2] == 1) {
            h.t.push_front(1);
            h.t[0].setValid();
            h.t[0].k = 0xee;
            if (h.t[1].isValid()) h.t[0].v = h.t[1].v;
        }
        if (h.first.v[3:3] == 1) h.s[1].setInvalid();
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
        p.emit(h.first);
        p.emit(h.s);
        p.emit(h.t);
    }
}
V1Switch(P(), V(), I(), E(), U(), D()) main;
