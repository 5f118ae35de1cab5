// Checksums: verified, updated, with payload, with conditions, over every algorithm.
#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> mode; bit<24> a; bit<4> b; bit<4> c; bit<128> w; }
header sums_t {
    bit<16> csum; bit<16> crc16; bit<32> crc32; bit<16> xor16; bit<16> crc16c; bit<32> crc32c;
    bit<16> with_payload; bit<8> verified; bit<16> identity;
}
header extra_t { bit<8> tag; }
struct headers_t { data_t d; sums_t s; extra_t e; }
struct meta_t { }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); p.extract(h.s); transition select(h.d.mode) { 9: extra; default: accept; } }
    state extra { p.extract(h.e); transition accept; }
}
control MyVerify(inout headers_t h, inout meta_t m) {
    apply {
        verify_checksum(h.d.mode != 3, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w }, h.s.csum, HashAlgorithm.csum16);
        verify_checksum_with_payload(h.d.mode == 4, { h.d.a, h.d.w }, h.s.with_payload, HashAlgorithm.csum16);
    }
}
control MyUpdate(inout headers_t h, inout meta_t m) {
    apply {
        update_checksum(true, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w, h.e }, h.s.csum, HashAlgorithm.csum16);
        update_checksum(true, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w }, h.s.crc16, HashAlgorithm.crc16);
        update_checksum(true, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w }, h.s.crc32, HashAlgorithm.crc32);
        update_checksum(true, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w }, h.s.xor16, HashAlgorithm.xor16);
        update_checksum(true, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w }, h.s.crc16c, HashAlgorithm.crc16_custom);
        update_checksum(true, { h.d.mode, h.d.a, h.d.b, h.d.c, h.d.w }, h.s.crc32c, HashAlgorithm.crc32_custom);
        update_checksum(true, { h.d.b, h.d.c, 8w0x5A }, h.s.identity, HashAlgorithm.identity);
        update_checksum_with_payload(h.d.mode != 5, { h.d.a, h.d.w }, h.s.with_payload, HashAlgorithm.csum16);
    }
}
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.s.verified = (bit<8>)s.checksum_error;
        if (h.d.mode == 6) { h.d.a = h.d.a + 1; }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
