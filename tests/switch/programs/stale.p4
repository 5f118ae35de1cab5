// Reads a header that may be invalid, and a stack whose elements change places.
#include <core.p4>
#include <v1model.p4>

header byte_t { bit<8> value; }
struct headers_t { byte_t seen; byte_t kind; byte_t maybe; byte_t[2] stack; }
struct metadata_t { }

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.kind);
        transition select(hdr.kind.value) { 0: accept; 1: maybe; default: stack; }
    }
    state maybe { packet.extract(hdr.maybe); transition accept; }
    state stack {
        packet.extract(hdr.stack.next);
        packet.extract(hdr.stack.next);
        transition accept;
    }
}

control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoCompute(inout headers_t hdr, inout metadata_t meta) { apply { } }
control IngressImpl(inout headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    apply {
        standard_metadata.egress_spec = 1;
        if (hdr.kind.value == 2) { hdr.stack.pop_front(1); hdr.maybe.value = hdr.stack[1].value; }
        hdr.seen.setValid();
        hdr.seen.value = hdr.maybe.value;
    }
}
control NoEgress(inout headers_t hdr, inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) { apply { } }
control DeparserImpl(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr.seen); }
}

V1Switch(ParserImpl(), NoVerify(), IngressImpl(), NoEgress(), NoCompute(), DeparserImpl()) main;
