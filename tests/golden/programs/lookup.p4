// Tables of every match kind with narrow keys, so that random packets hit; priorities that overlap,
// prefixes, const entries, hit, miss and the action that ran, direct counters in packets and bytes.
#include <core.p4>
#include <v1model.p4>

header key_t { bit<8> a; bit<8> b; bit<16> c; bit<4> d; bit<4> e; bit<72> wide; }
header trace_t { bit<8> exact; bit<8> lpm; bit<8> ternary; bit<8> range; bit<8> opt; bit<8> fixed; bit<8> how; }
struct headers_t { key_t k; trace_t t; }
struct meta_t { bit<8> left; }

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.k); transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    direct_counter(CounterType.packets_and_bytes) exact_hits;
    direct_counter(CounterType.packets) ternary_hits;
    direct_counter(CounterType.bytes) lpm_hits;

    action forward(bit<9> port) { s.egress_spec = port; }
    action mark_exact(bit<8> value) { h.t.exact = value; }
    action mark_lpm(bit<8> value) { h.t.lpm = value; }
    action mark_ternary(bit<8> value) { h.t.ternary = value; }
    action mark_range(bit<8> value) { h.t.range = value; }
    action mark_opt(bit<8> value) { h.t.opt = value; }
    action mark_fixed(bit<8> value) { h.t.fixed = value; }
    action drop() { mark_to_drop(s); }

    table exact_t {
        key = { h.k.a: exact; h.k.d: exact; }
        actions = { mark_exact; drop; NoAction; }
        default_action = mark_exact(0xee);
        counters = exact_hits;
        size = 256;
    }
    table lpm_t {
        key = { h.k.c: lpm; }
        actions = { mark_lpm; NoAction; }
        default_action = NoAction();
        counters = lpm_hits;
        size = 256;
    }
    table lpm_wide_t {
        key = { h.k.d: exact; h.k.wide: lpm; }
        actions = { mark_lpm; NoAction; }
        default_action = NoAction();
        size = 256;
    }
    table ternary_t {
        key = { h.k.a: ternary; h.k.b: ternary; h.k.wide: ternary; }
        actions = { mark_ternary; NoAction; }
        default_action = NoAction();
        counters = ternary_hits;
        size = 256;
    }
    table range_t {
        key = { h.k.b: range; h.k.c: range; }
        actions = { mark_range; NoAction; }
        default_action = NoAction();
        size = 256;
    }
    table opt_t {
        key = { h.k.a: optional; h.k.e: optional; }
        actions = { mark_opt; NoAction; }
        default_action = NoAction();
        size = 256;
    }
    table mixed_t {
        key = { h.k.a: exact; h.k.b: ternary; h.k.c: lpm; }
        actions = { forward; drop; NoAction; }
        default_action = forward(1);
        size = 256;
    }
    table fixed_t {
        key = { h.k.a: ternary; h.k.d: exact; }
        actions = { mark_fixed; NoAction; }
        const default_action = mark_fixed(9);
        const entries = {
            (0x00 &&& 0xf0, 0): mark_fixed(1);
            (0x01 &&& 0x01, 0): mark_fixed(2);
            (_, 1): mark_fixed(3);
            (0x02, 1): mark_fixed(4);
            (0x10 &&& 0x10, 2): NoAction();
        }
    }
    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.k.isValid()) { s.egress_spec = 7; exit; }
        h.t.setValid();
        h.t = { 0, 0, 0, 0, 0, 0, 0 };
        bit<8> how = 0;
        if (exact_t.apply().hit) { how = how | 1; }
        if (lpm_t.apply().miss) { lpm_wide_t.apply(); how = how | 2; }
        switch (ternary_t.apply().action_run) {
            mark_ternary: { how = how | 4; }
            default: { how = how | 8; }
        }
        if (range_t.apply().hit) { how = how | 16; } else { how = how | 32; }
        opt_t.apply();
        fixed_t.apply();
        mixed_t.apply();
        h.t.how = how;
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h.t); p.emit(h.k); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
