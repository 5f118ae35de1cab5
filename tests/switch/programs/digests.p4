// Digests that have no type with a name, which p4c calls one thing in the JSON and another in the
// P4Info; and one that has.
#include <core.p4>
#include <v1model.p4>

header bytes_t { bit<8> a; bit<8> b; bit<20> c; bit<4> d; }
struct named_t { bit<8> a; bit<4> d; }
struct headers_t { bytes_t bytes; }
struct metadata_t { }

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    state start { packet.extract(hdr.bytes); transition accept; }
}
control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoCompute(inout headers_t hdr, inout metadata_t meta) { apply { } }
control IngressImpl(inout headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    apply {
        if (hdr.bytes.a == 1) digest<bit<20>>(1, hdr.bytes.c);
        if (hdr.bytes.a == 2) digest<named_t>(1, { hdr.bytes.a, hdr.bytes.d });
        if (hdr.bytes.a == 3) digest<bit<8>>(1, hdr.bytes.b);
        if (hdr.bytes.a == 4) digest(1, { hdr.bytes.b, hdr.bytes.d });
    }
}
control NoEgress(inout headers_t hdr, inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) { apply { } }
control DeparserImpl(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr.bytes); } }

V1Switch(ParserImpl(), NoVerify(), IngressImpl(), NoEgress(), NoCompute(), DeparserImpl()) main;
