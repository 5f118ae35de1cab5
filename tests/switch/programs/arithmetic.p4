// Arithmetic of every kind on operands from the packet; results go back into the packet.
#include <core.p4>
#include <v1model.p4>

header operands_t {
    bit<8>   op;
    bit<8>   a8;
    bit<8>   b8;
    int<16>  a16;
    int<16>  b16;
    bit<64>  a64;
    bit<64>  b64;
    bit<128> a128;
    bit<128> b128;
    int<200> a200;
    int<200> b200;
    bit<8>   shift;
    bit<3>   odd_a;
    bit<5>   odd_b;
}
header results_t {
    bit<8>   r8;
    bit<8>   r16_flags;
    int<16>  r16;
    bit<64>  r64;
    bit<128> r128;
    int<200> r200;
    bit<40>  slice;
    bit<8>   odd;
}
struct headers_t { operands_t o; results_t r; }
struct meta_t { }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.o); p.extract(h.r); transition accept; }
}
control MyVerify(inout headers_t h, inout meta_t m) { apply { } }
control MyUpdate(inout headers_t h, inout meta_t m) { apply { } }

control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.r.r16_flags = 0;
        if (h.o.a16 < h.o.b16) { h.r.r16_flags[0:0] = 1; }
        if (h.o.a128 < h.o.b128) { h.r.r16_flags[1:1] = 1; }
        if (h.o.a200 < h.o.b200) { h.r.r16_flags[2:2] = 1; }
        if (h.o.a64 == h.o.b64) { h.r.r16_flags[3:3] = 1; }
        if (h.o.a128 == h.o.b128) { h.r.r16_flags[4:4] = 1; }
        if (h.o.a64 >= h.o.b64) { h.r.r16_flags[5:5] = 1; }
        if (h.o.a200 != h.o.b200) { h.r.r16_flags[6:6] = 1; }
        h.r.slice = h.o.a128[97:58];
        h.r.odd = h.o.odd_a ++ h.o.odd_b;
        switch (h.o.op) {
            0: {
                h.r.r8 = h.o.a8 + h.o.b8; h.r.r16 = h.o.a16 + h.o.b16;
                h.r.r64 = h.o.a64 + h.o.b64; h.r.r128 = h.o.a128 + h.o.b128;
                h.r.r200 = h.o.a200 + h.o.b200;
            }
            1: {
                h.r.r8 = h.o.a8 - h.o.b8; h.r.r16 = h.o.a16 - h.o.b16;
                h.r.r64 = h.o.a64 - h.o.b64; h.r.r128 = h.o.a128 - h.o.b128;
                h.r.r200 = h.o.a200 - h.o.b200;
            }
            2: {
                h.r.r8 = h.o.a8 * h.o.b8; h.r.r16 = h.o.a16 * h.o.b16;
                h.r.r64 = h.o.a64 * h.o.b64; h.r.r128 = h.o.a128 * h.o.b128;
                h.r.r200 = h.o.a200 * h.o.b200;
            }
            3: {
                h.r.r8 = h.o.a8 |+| h.o.b8; h.r.r16 = h.o.a16 |+| h.o.b16;
                h.r.r64 = h.o.a64 |+| h.o.b64; h.r.r128 = h.o.a128 |+| h.o.b128;
                h.r.r200 = h.o.a200 |+| h.o.b200;
            }
            4: {
                h.r.r8 = h.o.a8 |-| h.o.b8; h.r.r16 = h.o.a16 |-| h.o.b16;
                h.r.r64 = h.o.a64 |-| h.o.b64; h.r.r128 = h.o.a128 |-| h.o.b128;
                h.r.r200 = h.o.a200 |-| h.o.b200;
            }
            5: {
                h.r.r8 = h.o.a8 & ~h.o.b8; h.r.r16 = h.o.a16 & h.o.b16;
                h.r.r64 = h.o.a64 & h.o.b64; h.r.r128 = h.o.a128 & ~h.o.b128;
                h.r.r200 = h.o.a200 & h.o.b200;
            }
            6: {
                h.r.r8 = h.o.a8 ^ h.o.b8; h.r.r16 = h.o.a16 | h.o.b16;
                h.r.r64 = h.o.a64 | ~h.o.b64; h.r.r128 = h.o.a128 ^ h.o.b128;
                h.r.r200 = h.o.a200 ^ h.o.b200;
            }
            7: {
                h.r.r8 = h.o.a8 << h.o.shift; h.r.r16 = h.o.a16 << h.o.shift;
                h.r.r64 = h.o.a64 << h.o.shift; h.r.r128 = h.o.a128 << h.o.shift;
                h.r.r200 = h.o.a200 << h.o.shift;
            }
            8: {
                h.r.r8 = h.o.a8 >> h.o.shift; h.r.r16 = h.o.a16 >> h.o.shift;
                h.r.r64 = h.o.a64 >> h.o.shift; h.r.r128 = h.o.a128 >> h.o.shift;
                h.r.r200 = h.o.a200 >> h.o.shift;
            }
            9: {
                h.r.r8 = (bit<8>)(h.o.a128 >> 60); h.r.r16 = -h.o.a16;
                h.r.r64 = (bit<64>)h.o.a128; h.r.r128 = (bit<128>)h.o.a64;
                h.r.r200 = (int<200>)h.o.a16;
            }
            default: { mark_to_drop(s); }
        }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h.o); p.emit(h.r); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
