// Where the one copy of a packet goes. What leaves in two copies goes through a multicast group.

action to_controller(inout headers_t hdr, inout standard_metadata_t standard_metadata,
                     in bit<7> reason) {
    hdr.packet_in.setValid();
    hdr.packet_in = { standard_metadata.ingress_port, reason, 0 };
    standard_metadata.egress_spec = CPU_PORT;
}

action to_device(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    meta.copy = COPY_DEVICE;
    standard_metadata.egress_spec = meta.device_port;
}

action to_side(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    meta.copy = meta.side;
    standard_metadata.egress_spec = meta.port;
}

action to_other_side(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    meta.copy = meta.side ^ (COPY_UP ^ COPY_DOWN);
    standard_metadata.egress_spec = meta.other_port;
}
