// Ports are of a type that has 32 bits for controllers: in a key, a parameter and controller headers.
#include <core.p4>
#include <v1model.p4>

@p4runtime_translation("", 32)
type bit<9> port_id_t;

@controller_header("packet_in")
header packet_in_t { port_id_t ingress_port; bit<6> pad; bit<1> flag; bit<16> reason; }
@controller_header("packet_out")
header packet_out_t { bit<7> pad; port_id_t egress_port; }
header ethernet_t { bit<48> dst; bit<48> src; bit<16> ether_type; }
struct headers_t { packet_in_t packet_in; packet_out_t packet_out; ethernet_t ethernet; }
struct metadata_t { port_id_t port; }

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t sm) {
    state start {
        meta.port = (port_id_t) sm.ingress_port;
        transition select(sm.ingress_port) { 510: from_cpu; default: ethernet; }
    }
    state from_cpu { packet.extract(hdr.packet_out); transition ethernet; }
    state ethernet { packet.extract(hdr.ethernet); transition accept; }
}
control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoCompute(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    apply { }
}
control IngressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    action forward(port_id_t port) { sm.egress_spec = (bit<9>) port; }
    action punt() {
        sm.egress_spec = 510;
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = meta.port;
        hdr.packet_in.pad = 0;
        hdr.packet_in.flag = 1;
        hdr.packet_in.reason = 0x1234;
    }
    table ports {
        key = { meta.port : exact; }
        actions = { forward; punt; NoAction; }
        default_action = NoAction();
    }
    apply {
        if (hdr.packet_out.isValid()) {
            sm.egress_spec = (bit<9>) hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            ports.apply();
        }
    }
}
control DeparserImpl(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(ParserImpl(), NoVerify(), IngressImpl(), NoEgress(), NoCompute(), DeparserImpl()) main;
