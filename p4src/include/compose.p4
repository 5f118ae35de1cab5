// Egress: writes the message or command that this copy of the packet is.

control Compose(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    message_t message;

    action set_adjacency(bit<20> label, bit<48> src_mac, bit<48> dst_mac) {
        hdr.mpls.setValid();
        hdr.mpls.label = label;
        hdr.ethernet.src = src_mac;
        hdr.ethernet.dst = dst_mac;
    }

    // The neighbour on a side of a circuit, and the label that it knows the circuit by.
    table adjacency {
        key = {
            meta.circuit: exact;
            meta.copy: exact;
        }
        actions = { set_adjacency; NoAction; }
        default_action = NoAction();
        size = 2048;
    }

    action write_message() {
        hdr.ethernet.ethertype = ETHERTYPE_MPLS;
        hdr.mpls.tc = 0;
        hdr.mpls.s = 0;
        hdr.mpls.ttl = message.ttl;
        hdr.gal.setValid();
        hdr.gal = { GAL_LABEL, 0, 1, 1 };
        hdr.ach.setValid();
        hdr.ach = { 1, 0, 0, CHANNEL_QCI };
        hdr.qci.setValid();
        hdr.qci = { QCI_VERSION, message.flags, message.type, QCI_PAIR_LENGTH, 0 };
        hdr.pair.setValid();
        hdr.pair = { message.pair_seq, message.origin_seq, message.bell, 0, message.reason, 0 };
        hdr.device.setInvalid();
        hdr.qubit.setInvalid();
        truncate(46);  // what came behind the message stays here
    }

    action write_command() {
        hdr.ethernet = { MAC_DEVICE, MAC_SWITCH, ETHERTYPE_DEVICE };
        hdr.mpls.setInvalid();
        hdr.gal.setInvalid();
        hdr.ach.setInvalid();
        hdr.qci.setInvalid();
        hdr.pair.setInvalid();
        hdr.device.setValid();
        hdr.device = { DEVICE_VERSION, meta.command.flags, meta.command.type, meta.command.link,
                       meta.command.bell, 0 };
        hdr.qubit.setValid();
        hdr.qubit = { meta.command.label, 0, meta.command.seq, meta.command.handle[31:16],
                      meta.command.handle[15:0], meta.command.link2, 0, meta.command.seq2,
                      meta.command.handle2[31:16], meta.command.handle2[15:0], 0 };
        truncate(50);
    }

    apply {
        if (standard_metadata.egress_rid != 0 && meta.flooded == 0) {
            meta.copy = standard_metadata.egress_rid[1:0];
        }
        if (meta.copy == COPY_DEVICE) {
            write_command();
        } else if (meta.copy != COPY_CLASSICAL) {
            message = meta.down;
            if (meta.copy == COPY_UP) {
                message = meta.up;
            }
            if (adjacency.apply().hit) {
                write_message();
            } else {
                meta.drop_reason = DROP_UNKNOWN_CIRCUIT;
            }
        } else if (meta.flooded == 1
                   && standard_metadata.egress_port == standard_metadata.ingress_port) {
            meta.drop_reason = CONSUMED;
        }
    }
}
