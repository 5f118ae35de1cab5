// Where the one copy of a packet goes. What leaves in two copies goes through a multicast group instead.

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
