// The quantum ping: CIRCUIT_PING goes along a circuit, and every node on it answers with a CIRCUIT_PONG that
// says what it knows of the circuit. An end to which a PONG comes hands it to the controller.

control CircuitPing(inout headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    bit<64> state;
    bit<32> ends;

    action set_node(bit<32> node_id) {
        hdr.ping.node_id = node_id;
    }

    // Who this is.
    table node {
        actions = { set_node; }
        default_action = set_node(0);
    }

    action agree_on_sample() {
        sample_range.write((bit<32>)meta.circuit,
                           hdr.ping.sample_first ++ hdr.ping.sample_count ++ meta.serial);
    }

    apply {
        if (hdr.qci.type == QCI_CIRCUIT_PING) {
            hdr.ping.hop = 0 - hdr.mpls.ttl;
            hdr.ping.role = meta.is_end == 1 ? ROLE_END : ROLE_REPEATER;
            node.apply();
            side_state.read(state, (bit<32>)(meta.circuit ++ meta.side[1:1]));
            hdr.ping.held = state[63:48];
            hdr.ping.age_us = (bit<32>)(standard_metadata.ingress_global_timestamp - state[47:0]);
            ring_ends.read(ends, (bit<32>)(meta.circuit ++ meta.side[1:1]));
            hdr.ping.ring = (bit<8>)(ends[15:0] - ends[31:16]);
            side_state.read(state, (bit<32>)(meta.circuit ++ ~meta.side[1:1]));
            hdr.ping.other_held = state[63:48];
            hdr.ping.other_age_us =
                (bit<32>)(standard_metadata.ingress_global_timestamp - state[47:0]);
            ring_ends.read(ends, (bit<32>)(meta.circuit ++ ~meta.side[1:1]));
            hdr.ping.other_ring = (bit<8>)(ends[15:0] - ends[31:16]);
            hdr.ping.first_slot = meta.first_slot;
            hdr.ping.last_slot = meta.last_slot;
            if (meta.is_end == 1) {
                if (hdr.qci.flags & QCI_FLAG_SAMPLE != 0) {
                    agree_on_sample();
                }
                to_side(meta, standard_metadata);
            } else {
                standard_metadata.mcast_grp = meta.group_both;
            }
            // The answer goes back, the question on.
            meta.down = { QCI_CIRCUIT_PONG, hdr.qci.flags & QCI_FLAG_SAMPLE, 0, 0, 0, 0, QCI_TTL, 0 };
            meta.up = meta.down;
            if (meta.side == COPY_UP) {
                meta.down.type = QCI_CIRCUIT_PING;
                meta.down.ttl = hdr.mpls.ttl - 1;
            } else {
                meta.up.type = QCI_CIRCUIT_PING;
                meta.up.ttl = hdr.mpls.ttl - 1;
            }
        } else if (meta.is_end == 1) {
            if (hdr.qci.flags & QCI_FLAG_SAMPLE != 0 && hdr.ping.role == ROLE_END) {
                // The other end will measure them: so does this one.
                agree_on_sample();
            }
            to_controller(hdr, standard_metadata, PACKET_IN_PONG);
        } else {
            meta.down = { QCI_CIRCUIT_PONG, hdr.qci.flags & QCI_FLAG_SAMPLE, 0, 0, 0, 0,
                          hdr.mpls.ttl - 1, 0 };
            meta.up = meta.down;
            to_other_side(meta, standard_metadata);
        }
    }
}
