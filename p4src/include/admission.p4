// What can be said of a device frame or QCI message before its circuit is known: whether it is well
// formed and came in where it may. Frames for the controller and probes are dealt with here.

control Admission(inout headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    action pong() {
        bit<48> asker = hdr.ethernet.src;
        hdr.ethernet.src = hdr.ethernet.dst;
        hdr.ethernet.dst = asker;
        hdr.qci.type = QCI_PONG;
        standard_metadata.egress_spec = standard_metadata.ingress_port;
    }

    apply {
        if (hdr.device.isValid()) {
            if (meta.port_kind != PORT_QUANTUM) {
                meta.drop_reason = DROP_DEVICE_PORT;
            } else if (hdr.device.version != DEVICE_VERSION) {
                meta.drop_reason = DROP_DEVICE_MALFORMED;
            } else if (hdr.device.type == DEVICE_FEATURES
                       || hdr.device.type == DEVICE_LINK_FEATURES
                       || hdr.device.type == DEVICE_LINK_STATUS
                       || hdr.device.type & DEVICE_GROUP == DEVICE_LINK_LAYER) {
                to_controller(hdr, standard_metadata, PACKET_IN_DEVICE);
            } else if (hdr.gen.isValid()) {
                if (standard_metadata.packet_length > MIN_FRAME_BYTES) {
                    meta.drop_reason = DROP_DEVICE_MALFORMED;
                }
            } else if (!hdr.qubit.isValid() || hdr.device.link >= LINKS
                       || standard_metadata.packet_length > MIN_FRAME_BYTES) {
                meta.drop_reason = DROP_DEVICE_MALFORMED;
            }
        } else if (hdr.queue_message.isValid()) {
            if (hdr.qci.flags != 0 || standard_metadata.packet_length != QUEUE_FRAME_BYTES) {
                meta.drop_reason = DROP_QCI_MALFORMED;
            } else if (meta.port_kind != PORT_NEIGHBOUR) {
                meta.drop_reason = DROP_QCI_PORT;
            } else {
                to_controller(hdr, standard_metadata, PACKET_IN_QCI);
            }
        } else if ((!hdr.probe.isValid() && !hdr.pair.isValid() && !hdr.ping.isValid()
                    && !hdr.service_message.isValid() && !hdr.reply.isValid())
                   || hdr.qci.flags & QCI_FLAG_AUTHENTICATED != 0) {
            meta.drop_reason = DROP_QCI_MALFORMED;
        } else if (meta.tunnelled == 0
                   && standard_metadata.packet_length
                      > (hdr.ping.isValid() ? CIRCUIT_PING_FRAME_BYTES : MIN_FRAME_BYTES)) {
            meta.drop_reason = DROP_QCI_MALFORMED;
        } else if (!hdr.mpls.isValid()) {
            if (meta.port_kind != PORT_NEIGHBOUR) {
                meta.drop_reason = DROP_QCI_PORT;
            } else if (hdr.reply.isValid()) {
                // of a link's station, or not: LinkLayer knows
            } else if (hdr.qci.type == QCI_PING) {
                pong();
            } else {
                to_controller(hdr, standard_metadata, PACKET_IN_QCI);
            }
        } else if (hdr.mpls.ttl <= 1) {
            meta.drop_reason = DROP_TTL;
        }
    }
}
