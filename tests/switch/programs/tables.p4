// Tables of every match kind; the packet says which one to apply.
#include <core.p4>
#include <v1model.p4>

header key_t { bit<8> table_no; bit<32> a; bit<16> b; bit<8> c; bit<128> w; }
header result_t { bit<16> value; bit<8> hit; bit<8> run; }
struct headers_t { key_t k; result_t r; }
struct meta_t { }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.k); p.extract(h.r); transition accept; }
}
control MyVerify(inout headers_t h, inout meta_t m) { apply { } }
control MyUpdate(inout headers_t h, inout meta_t m) { apply { } }
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    direct_counter(CounterType.packets_and_bytes) hits;
    action set_value(bit<16> value) { h.r.value = value; }
    action set_wide(bit<128> w, bit<16> value) { h.k.w = w; h.r.value = value; }
    action missed() { h.r.value = 0xFFFF; }
    table t_exact {
        key = { h.k.a : exact; h.k.c : exact; }
        actions = { set_value; missed; }
        default_action = missed();
        size = 2048;
        counters = hits;
    }
    table t_lpm {
        key = { h.k.a : lpm; }
        actions = { set_value; missed; }
        default_action = missed();
        size = 2048;
    }
    table t_lpm_exact {
        key = { h.k.b : exact; h.k.w : lpm; }
        actions = { set_value; set_wide; missed; }
        default_action = missed();
        size = 2048;
    }
    table t_ternary {
        key = { h.k.a : ternary; h.k.b : ternary; h.k.c : exact; }
        actions = { set_value; missed; }
        default_action = missed();
        size = 2048;
        support_timeout = true;
    }
    table t_range {
        key = { h.k.b : range; h.k.a : ternary; }
        actions = { set_value; missed; }
        default_action = missed();
        size = 2048;
    }
    table t_optional {
        key = { h.k.a : optional; h.k.w : optional; }
        actions = { set_value; missed; }
        default_action = missed();
        size = 16;
    }
    table t_const {
        key = { h.k.a : ternary; }
        actions = { set_value; missed; }
        const default_action = missed();
        const entries = {
            0x00000001 &&& 0x000000FF : set_value(1);
            0x00000101 &&& 0x0000FFFF : set_value(2);
            0x00000200 &&& 0x0000FF00 : set_value(3);
        }
    }
    apply {
        s.egress_spec = 1;
        h.r.hit = 0;
        h.r.run = 0;
        if (h.k.table_no == 0) { if (t_exact.apply().hit) { h.r.hit = 1; } }
        else if (h.k.table_no == 1) { if (!t_lpm.apply().miss) { h.r.hit = 1; } }
        else if (h.k.table_no == 2) {
            switch (t_lpm_exact.apply().action_run) {
                set_value: { h.r.run = 1; }
                set_wide: { h.r.run = 2; }
                missed: { h.r.run = 3; }
            }
        }
        else if (h.k.table_no == 3) { t_ternary.apply(); }
        else if (h.k.table_no == 4) { t_range.apply(); }
        else if (h.k.table_no == 5) { t_optional.apply(); }
        else { t_const.apply(); }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
