// Control flow: sub-controls used twice, exit and return, switch statements, hit and miss.
#include <core.p4>
#include <v1model.p4>
header a_t {
    bit<8> a;
    bit<8> b;
    bit<8> c;
    bit<8> d;
}
struct headers {
    a_t a;
}
struct meta {
    bit<8> x;
    bool q;
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        p.extract(h.a);
        transition accept;
    }
}
control V(inout headers h, inout meta m) {
    apply {
    }
}
control Sub(inout bit<8> x, in bit<8> y, out bit<8> z)(bit<8> k) {
    action inc(bit<8> v) {
        x = x + v + k;
    }
    action bye() {
        x = 0x77;
        exit;
    }
    table t {
        key = {
            y : exact;
            x : ternary;
        }
        actions = {
            inc;
            bye;
            NoAction;
        }
        default_action = inc(1);
    }
    apply {
        z = y;
        if (y == 3) {
            z = 0xaa;
            return;
        }
        t.apply();
        z = z + 1;
        if (x > 200) return;
        z = z + 1;
    }
}
control I(inout headers h, inout meta m, inout standard_metadata_t s) {
    Sub(10) s1;
    Sub(20) s2;
    action inner(inout bit<8> v) {
        v = v + 1;
        if (v == 5) exit;
        v = v * 2;
        if (v == 8) return;
        v = v + 100;
    }
    action outer(bit<8> w) {
        h.a.b = w;
        inner(h.a.b);
        h.a.c = h.a.c + 1;
    }
    action a1() {
        m.x = 1;
    }
    action a2(bit<8> v) {
        m.x = v;
    }
    action a3() {
        m.x = 3;
        h.a.d = h.a.d ^ 0xff;
    }
    table sw {
        key = {
            h.a.a: exact;
            h.a.c[3:0] : exact @name("low");
        }
        actions = {
            a1;
            a2;
            a3;
            outer;
        }
        default_action = a3();
    }
    table tn {
        actions = {
            a1;
            a3;
            outer;
        }
        default_action = outer(3);
    }
    table none {
        key = {
            h.a.d: exact;
        }
        actions = {
            NoAction;
        }
    }
    table lp {
        key = {
            h.a.d: lpm;
        }
        actions = {
            a2;
            outer;
            @defaultonly a1;
            @tableonly a3;
        }
        const default_action = a1;
        size = 8;
    }
    apply {
        if (!h.a.isValid()) h.a.setValid();
        s.egress_spec = 1;
        m.x = 9;
        switch (sw.apply().action_run) {
            a1: a2: {
                h.a.d = 1;
            }
            a3: {
                if (h.a.b > 100) return;
                h.a.d = 2;
            }
            default: {
                h.a.d = 4;
            }
        }
        switch (h.a.b) {
            1: 2: {
                h.a.c = 0x11;
            }
            3: {
                h.a.c = 0x33;
                s1.apply(h.a.c, h.a.a, h.a.b);
            }
            4: {
                exit;
            }
            default: {
                h.a.c = h.a.c + 0x40;
            }
        }
        switch (h.a.b & 3) {
            default: {
                h.a.d = h.a.d + 8;
            }
        }
        if (tn.apply().hit) h.a.d = 0xee;
        if (!none.apply().hit && lp.apply().miss) {
            h.a.a = h.a.a + 1;
        } else {
            h.a.a = h.a.a + 2;
        }
        m.q = h.a.a > 4 || h.a.b == 7 && m.x != 3;
        s2.apply(h.a.d, h.a.b, m.x);
        if (m.q) {
            h.a.b = m.x;
        }
    }
}
control E(inout headers h, inout meta m, inout standard_metadata_t s) {
    Sub(3) s3;
    action drop_() {
        mark_to_drop(s);
        exit;
    }
    table e {
        key = {
            h.a.c: range;
            s.egress_port: optional;
        }
        actions = {
            drop_;
            NoAction;
        }
    }
    apply {
        s3.apply(h.a.c, h.a.b, h.a.a);
        e.apply();
        if (h.a.a == 0xaa) mark_to_drop(s);
        h.a.d = h.a.d + 1;
    }
}
control U(inout headers h, inout meta m) {
    apply {
    }
}
control D(packet_out p, in headers h) {
    apply {
        p.emit(h.a);
    }
}
V1Switch(P(), V(), I(), E(), U(), D()) main;
