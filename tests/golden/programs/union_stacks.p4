// Header unions in a stack: next, last, pushes, pops, copies, comparisons.
#include <core.p4>
#include <v1model.p4>
header a_t {
    bit<8> k;
    bit<8> a;
}
header b_t {
    bit<8> k;
    bit<16> b;
}
header c_t {
    bit<24> k;
}
header_union u_t {
    a_t a;
    b_t b;
    c_t c;
}
header o_t {
    bit<8> x;
}
struct headers {
    o_t o;
    u_t one;
    u_t two;
    u_t[3] us;
}
struct meta {
    bit<8> n;
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        m.n = 0;
        p.extract(h.o);
        transition select(p.lookahead<bit<8>>()) {
            0: pa;
            1: pb;
            2..5: pc;
            default: stack;
        }
    }
    state pa {
        p.extract(h.one.a);
        transition stack;
    }
    state pb {
        p.extract(h.one.b);
        transition stack;
    }
    state pc {
        p.extract(h.one.c);
        transition stack;
    }
    state stack {
        m.n = m.n + 1;
        transition select(p.lookahead<bit<8>>()) {
            0 &&& 3: sa;
            1 &&& 3: sb;
            2 &&& 3: sc;
            default: accept;
        }
    }
    state sa {
        p.extract(h.us.next.a);
        transition select(m.n) {
            0..8: stack;
            default: accept;
        }
    }
    state sb {
        p.extract(h.us.next.b);
        transition stack;
    }
    state sc {
        p.extract(h.us.next.c);
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
        if (s.parser_error != error.NoError) s.egress_spec = 2;
        if (h.one.isValid()) h.o.x = h.o.x + 1;
        if (h.one.a.isValid()) {
            h.two.b.setValid();
            h.two.b.k = h.one.a.k;
            h.two.b.b = (bit<16>) h.one.a.a;
        } else if (h.one.b.isValid()) {
            h.two.a.setValid();
            h.two.a = { 1, 2 };
            h.two.c.setValid();
            h.two.c.k = 0x414243;
        } else if (h.one.c.isValid()) {
            h.one.a = { 5, 6 };
        }
        if (m.n == 2) {
            h.us[0].c.setValid();
            h.us[0].c.k = 0x616263;
        }
        if (m.n == 3) {
            h.us.pop_front(1);
        }
        if (m.n == 1 && h.o.x[0:0] == 1) {
            h.us.push_front(1);
            h.us[0].b.setValid();
            h.us[0].b = { 9, 10 };
        }
        if (h.o.x == 4) h.two = h.one;
        if (h.o.x == 5) h.one.a.setInvalid();
        if (h.o.x == 6) h.us[1] = h.one;
        if (h.one == h.two) h.o.x = 0xff;
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
        p.emit(h.two);
        p.emit(h.one);
        p.emit(h.us);
    }
}
V1Switch(P(), V(), I(), E(), U(), D()) main;
