// Keys that are more than fields: static masks, fields of headers that are no longer valid, and a
// local copy of the metadata that p4c names oddly.
#include <core.p4>
#include <v1model.p4>

header first_t { bit<16> a; bit<16> b; }
header second_t { bit<16> c; bit<16> hit; }
struct headers_t { first_t first; second_t second; }
struct metadata_t { bit<16> seen; bit<16> extra; }

parser Inner(packet_in packet, inout headers_t hdr, inout metadata_t meta) {
    state start {
        transition select(meta.extra) { 9: accept; default: more; }
    }
    state more {
        packet.extract(hdr.second);
        meta.seen = meta.seen + hdr.second.c;
        transition accept;
    }
}

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t sm) {
    Inner() inner;
    metadata_t copy;
    state start {
        packet.extract(hdr.first);
        meta.seen = hdr.first.a;
        meta.extra = hdr.first.b;
        copy = meta;
        inner.apply(packet, hdr, copy);
        meta = copy;
        transition accept;
    }
}

control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoCompute(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    apply { }
}

control IngressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    action mark(bit<16> value) { hdr.second.hit = value; }
    table masked {
        key = { hdr.first.a & 0xff00 : exact @name("a"); }
        actions = { mark; NoAction; }
        default_action = NoAction;
    }
    table gone {
        key = { hdr.first.b : exact; }
        actions = { mark; NoAction; }
        default_action = NoAction;
    }
    apply {
        sm.egress_spec = 1;
        hdr.second.c = meta.seen;
        masked.apply();
        if (hdr.first.a[0:0] == 1) { hdr.first.setInvalid(); }
        gone.apply();
    }
}

control DeparserImpl(packet_out packet, in headers_t hdr) {
    apply { packet.emit(hdr); }
}

V1Switch(ParserImpl(), NoVerify(), IngressImpl(), NoEgress(), NoCompute(), DeparserImpl()) main;
