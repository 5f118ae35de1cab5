// Checksums and hashes: every algorithm of v1model, verified and updated, with conditions, with the
// payload, and over headers that are not there.
#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> mode; bit<4> b; bit<4> c; bit<24> a; bit<72> w; }
header sums_t { bit<16> csum; bit<16> crc16; bit<32> crc32; bit<16> xor16; bit<16> payload; bit<16> same; }
header extra_t { bit<8> tag; bit<8> more; }
header result_t { bit<8> wrong; bit<16> h16; bit<32> h32; bit<16> hc; bit<16> hx; bit<32> hi; bit<8> ranged; }
struct headers_t { result_t r; data_t d; sums_t s; extra_t e; }
struct meta_t { }

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); p.extract(h.s); transition select(h.d.mode[0:0]) { 1: extra; default: accept; } }
    state extra { p.extract(h.e); transition accept; }
}
#define DATA { h.d.mode, h.d.b, h.d.c, h.d.a, h.d.w }
control V(inout headers_t h, inout meta_t m) {
    apply {
        verify_checksum(h.d.mode[1:1] == 1, DATA, h.s.csum, HashAlgorithm.csum16);
        verify_checksum(h.d.mode[2:2] == 1, { h.d.a, h.d.w }, h.s.crc16, HashAlgorithm.crc16);
        verify_checksum_with_payload(h.d.mode[3:3] == 1, { h.d.a }, h.s.payload, HashAlgorithm.csum16);
    }
}
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.d.isValid()) { s.egress_spec = 7; exit; }
        s.egress_spec = 1;
        h.r.setValid();
        h.r.wrong = (bit<8>)s.checksum_error;
        hash(h.r.h16, HashAlgorithm.crc16, 16w0, DATA, 32w65536);
        hash(h.r.h32, HashAlgorithm.crc32, 32w0, DATA, 64w0x100000000);
        hash(h.r.hc, HashAlgorithm.csum16, 16w100, { h.d.a, h.d.w }, 16w1000);
        hash(h.r.hx, HashAlgorithm.xor16, 16w0, DATA, 32w65536);
        hash(h.r.hi, HashAlgorithm.identity, 32w0, { h.d.b, h.d.c, h.d.a }, 64w0x100000000);
        hash(h.r.ranged, HashAlgorithm.crc32, (bit<8>)h.d.b, { h.d.w }, (bit<8>)h.d.c);
        if (h.d.mode[4:4] == 1) { h.d.a = h.d.a + 1; }
        if (h.d.mode[5:5] == 1) { h.e.setInvalid(); }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control C(inout headers_t h, inout meta_t m) {
    apply {
        update_checksum(true, { h.d.mode, h.d.b, h.d.c, h.d.a, h.d.w, h.e.tag, h.e.more }, h.s.csum, HashAlgorithm.csum16);
        update_checksum(h.d.mode[6:6] == 1, DATA, h.s.crc16, HashAlgorithm.crc16);
        update_checksum(true, DATA, h.s.crc32, HashAlgorithm.crc32);
        update_checksum(true, DATA, h.s.xor16, HashAlgorithm.xor16);
        update_checksum_with_payload(true, { h.d.a, h.s.csum }, h.s.payload, HashAlgorithm.csum16);
        update_checksum(h.d.mode[7:7] == 1, { h.d.b, h.d.c, 8w0x5a }, h.s.same, HashAlgorithm.identity);
    }
}
control D(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
