// What a packet sees of the egress queue that it waited in.
#include <core.p4>
#include <v1model.p4>

header ask_t { bit<16> port; bit<8> priority; }
header seen_t {
    bit<32> enq_timestamp; bit<24> enq_qdepth; bit<32> deq_timedelta; bit<24> deq_qdepth;
}
struct headers_t { ask_t ask; seen_t seen; }
struct metadata_t { }

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t sm) {
    state start { packet.extract(hdr.ask); transition accept; }
}
control NoVerify(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NoCompute(inout headers_t hdr, inout metadata_t meta) { apply { } }
control IngressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    apply {
        sm.egress_spec = (bit<9>)hdr.ask.port;
        sm.priority = (bit<3>)hdr.ask.priority;
        if (hdr.ask.port == 0xffff) { sm.mcast_grp = 1; }
    }
}
control EgressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    apply {
        hdr.seen.setValid();
        hdr.seen.enq_timestamp = sm.enq_timestamp;
        hdr.seen.enq_qdepth = (bit<24>)sm.enq_qdepth;
        hdr.seen.deq_timedelta = sm.deq_timedelta;
        hdr.seen.deq_qdepth = (bit<24>)sm.deq_qdepth;
    }
}
control DeparserImpl(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(ParserImpl(), NoVerify(), IngressImpl(), EgressImpl(), NoCompute(), DeparserImpl()) main;
