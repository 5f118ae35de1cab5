// Counters, meters, registers, hashes, random numbers, digests, logs, asserts, selectors.
#include <core.p4>
#include <v1model.p4>

header cmd_t { bit<8> op; bit<32> index; bit<64> value; }
header result_t { bit<64> value; bit<8> colour; bit<128> wide; }
struct headers_t { cmd_t c; result_t r; }
struct meta_t { bit<8> colour; }
struct report_t { bit<32> index; bit<9> port; bit<48> stamp; }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.c); p.extract(h.r); transition accept; }
}
control MyVerify(inout headers_t h, inout meta_t m) { apply { } }
control MyUpdate(inout headers_t h, inout meta_t m) { apply { } }
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    counter(8, CounterType.packets_and_bytes) counts;
    meter(4, MeterType.packets) packet_meter;
    meter(4, MeterType.bytes) byte_meter;
    direct_meter<bit<8>>(MeterType.packets) entry_meter;
    register<bit<64>>(16) words;
    register<bit<128>>(16) wides;
    register<bit<5>>(16) smalls;
    action metered(bit<64> value) { entry_meter.read(m.colour); h.r.value = value; }
    action nothing() { }
    table t_metered {
        key = { h.c.index : exact; }
        actions = { metered; nothing; }
        default_action = nothing();
        meters = entry_meter;
    }
    action pick(bit<9> port) { s.egress_spec = port; }
    @name("selector") action_selector(HashAlgorithm.crc16, 64, 16) selector_;
    action_profile(64) profile_;
    table t_selected {
        key = { h.c.op : exact; h.c.value : selector; }
        actions = { pick; nothing; }
        implementation = selector_;
    }
    table t_profile {
        key = { h.c.index : exact; }
        actions = { pick; nothing; }
        implementation = profile_;
    }
    apply {
        s.egress_spec = 1;
        if (h.c.op == 1) { counts.count(h.c.index); }
        else if (h.c.op == 2) { packet_meter.execute_meter(h.c.index, h.r.colour); }
        else if (h.c.op == 3) { byte_meter.execute_meter(h.c.index, h.r.colour); }
        else if (h.c.op == 4) { words.write(h.c.index, h.c.value); }
        else if (h.c.op == 5) { words.read(h.r.value, h.c.index); }
        else if (h.c.op == 6) {
            bit<128> w;
            wides.read(w, h.c.index);
            h.r.wide = w + (bit<128>)h.c.value;
            wides.write(h.c.index, h.r.wide);
        }
        else if (h.c.op == 7) {
            bit<5> small;
            smalls.read(small, h.c.index);
            small = small + 3;
            smalls.write(h.c.index, small);
            h.r.value = (bit<64>)small;
        }
        else if (h.c.op == 8) {
            bit<32> x;
            random(x, h.c.index, (bit<32>)h.c.value);
            h.r.value = (bit<64>)x;
        }
        else if (h.c.op == 9) {
            bit<32> x;
            hash(x, HashAlgorithm.crc32, (bit<32>)100, { h.c.value, h.c.index }, (bit<32>)1000);
            h.r.value = (bit<64>)x;
        }
        else if (h.c.op == 10) {
            digest<report_t>(1, { h.c.index, s.ingress_port, s.ingress_global_timestamp });
        }
        else if (h.c.op == 11) { log_msg("index {} value {}", { h.c.index, h.c.value }); }
        else if (h.c.op == 12) { assert(h.c.value != 0); }
        else if (h.c.op == 13) { t_metered.apply(); h.r.colour = m.colour; }
        else if (h.c.op == 14) { t_selected.apply(); }
        else if (h.c.op == 15) { t_profile.apply(); }
        else if (h.c.op == 16) {
            bit<16> x;
            hash(x, HashAlgorithm.csum16, (bit<16>)0, { h.c.value }, (bit<32>)65536);
            h.r.value = (bit<64>)x;
        }
        else { mark_to_drop(s); }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
