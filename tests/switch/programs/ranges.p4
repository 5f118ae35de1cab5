// A value set whose members are ranges, and one of a selector that draws.
#include <core.p4>
#include <v1model.p4>

header h_t { bit<12> a; bit<4> b; bit<8> hit; }
struct headers_t { h_t h; }
struct metadata_t { bit<8> hit; }
struct key_t {
    @match(range) bit<12> a;
    @match(ternary) bit<4> b;
}

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t sm) {
    value_set<key_t>(8) chosen;
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.a, hdr.h.b) { chosen: hit; default: accept; }
    }
    state hit { meta.hit = 1; transition accept; }
}
control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoCompute(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    apply { }
}
control IngressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    action_selector(HashAlgorithm.random, 64, 16) draw;
    action to(bit<9> port) { sm.egress_spec = port; }
    table drawn {
        key = { hdr.h.b : exact; hdr.h.a : selector; }
        actions = { to; NoAction; }
        implementation = draw;
    }
    apply { hdr.h.hit = meta.hit; drawn.apply(); }
}
control DeparserImpl(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(ParserImpl(), NoVerify(), IngressImpl(), NoEgress(), NoCompute(), DeparserImpl()) main;
