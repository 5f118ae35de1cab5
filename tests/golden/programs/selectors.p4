// Action selectors in both pipelines, hashes of odd widths, a plain action profile.
#include <core.p4>
#include <v1model.p4>
header a_t {
    bit<8> a;
    bit<16> b;
    bit<8> c;
    bit<32> d;
    bit<7> e;
    bit<1> f;
}
struct headers {
    a_t a;
}
struct meta {
    bit<16> m;
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
control I(inout headers h, inout meta m, inout standard_metadata_t s) {
    @mode("fair") action_selector(HashAlgorithm.crc16, 128, 10) as1;
    action_selector(HashAlgorithm.identity, 128, 16) as2;
    action_profile(32) ap;
    action go(bit<9> p) {
        s.egress_spec = p;
    }
    action set(bit<8> v) {
        h.a.c = v;
    }
    action drop_() {
        mark_to_drop(s);
    }
    action both(bit<8> v, bit<16> w) {
        h.a.c = v;
        m.m = w;
        h.a.b = w;
    }
    direct_counter(CounterType.packets) dc;
    table t1 {
        key = {
            h.a.a: exact;
            h.a.b: selector;
            h.a.d: selector;
            h.a.e: selector;
        }
        actions = {
            go;
            set;
            drop_;
        }
        implementation = as1;
        size = 64;
    }
    table t2 {
        key = {
            h.a.a: ternary;
            h.a.d: selector;
            h.a.f: selector;
        }
        actions = {
            both;
            set;
            NoAction;
        }
        implementation = as2;
        size = 64;
        counters = dc;
    }
    table t3 {
        key = {
            h.a.c: lpm;
        }
        actions = {
            both;
            set;
            go;
        }
        implementation = ap;
        size = 16;
    }
    apply {
        s.egress_spec = 1;
        if (t1.apply().hit) {
            h.a.e = h.a.e + 1;
        }
        switch (t2.apply().action_run) {
            both: {
                h.a.d = h.a.d + 1;
            }
            set: {
                h.a.d = 0;
            }
        }
        t3.apply();
    }
}
control E(inout headers h, inout meta m, inout standard_metadata_t s) {
    action_selector(HashAlgorithm.crc32, 64, 14) as3;
    action tag(bit<8> v) {
        h.a.a = v;
    }
    action dr() {
        mark_to_drop(s);
    }
    table t4 {
        key = {
            h.a.b: range;
            s.egress_port: selector;
            h.a.a: selector;
        }
        actions = {
            tag;
            dr;
            @defaultonly NoAction;
        }
        default_action = NoAction;
        implementation = as3;
    }
    apply {
        t4.apply();
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
