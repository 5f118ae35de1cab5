// Elements of a header stack given as values: p4c writes each as a bare list.
#include <core.p4>
#include <v1model.p4>

header pair_t { bit<8> first; bit<72> second; }
struct headers_t { pair_t pair; pair_t[2] sent; }
struct metadata_t { }

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    state start { packet.extract(hdr.pair); transition accept; }
}
control verifyChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }
control ingress(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    apply {
        pair_t[2] made = { (pair_t){ 8w0x11, 72w0x22 },
                           (pair_t){ hdr.pair.first + 1, hdr.pair.second + 1 } };
        hdr.sent = made;
    }
}
control egress(inout headers_t hdr, inout metadata_t meta,
               inout standard_metadata_t standard_metadata) { apply { } }
control computeChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }
control deparser(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr.sent); }
}
V1Switch(ParserImpl(), verifyChecksum(), ingress(), egress(), computeChecksum(), deparser()) main;
