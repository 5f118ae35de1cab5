// Egress: writes the message or command that this copy of the packet is.

control Compose(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    message_t message;
    bit<16> length;           // of the QCI message
    bit<32> outer_bytes = 0;  // of the headers that a tunnel puts around it

    // MPLS-in-UDP (RFC 7510). The source port is the entropy that routers on the way spread flows by:
    // a circuit's messages stay on one path, in order.
    action around(bit<20> label, bit<48> src_mac, bit<48> dst_mac, bit<16> ethertype) {
        hdr.ethernet = { dst_mac, src_mac, ethertype };
        hdr.mpls.setValid();
        hdr.mpls.label = label;
        hdr.udp.setValid();
        hdr.udp = { UDP_FIRST_ENTROPY | (bit<16>)label[13:0], UDP_PORT_MPLS, length + 20, 0 };
    }

    // RFC 7510 recommends to do without UDP's checksum over IPv4: QCI has its own.
    action set_tunnel_ipv4(bit<20> label, bit<48> src_mac, bit<48> dst_mac, bit<32> src_ip,
                           bit<32> dst_ip) {
        around(label, src_mac, dst_mac, ETHERTYPE_IPV4);
        hdr.ipv4.setValid();
        hdr.ipv4 = { 4, 5, 0, length + 40, 0, 2, 0, OUTER_TTL, PROTOCOL_UDP, 0, src_ip,
                     dst_ip };
        outer_bytes = 28;
    }

    action set_tunnel_ipv6(bit<20> label, bit<48> src_mac, bit<48> dst_mac, bit<128> src_ip,
                           bit<128> dst_ip) {
        around(label, src_mac, dst_mac, ETHERTYPE_IPV6);
        hdr.ipv6.setValid();
        hdr.ipv6 = { 6, 0, label, length + 20, PROTOCOL_UDP, OUTER_TTL, src_ip, dst_ip };
        outer_bytes = 48;
    }

    action set_adjacency(bit<20> label, bit<48> src_mac, bit<48> dst_mac) {
        hdr.mpls.setValid();
        hdr.mpls.label = label;
        hdr.ethernet = { dst_mac, src_mac, ETHERTYPE_MPLS };
        outer_bytes = 0;
    }

    // The neighbour on a side of a circuit, and the label that it knows the circuit by; next to it,
    // or at the other end of a tunnel.
    table adjacency {
        key = {
            meta.circuit: exact;
            meta.copy: exact;
        }
        actions = { set_adjacency; set_tunnel_ipv4; set_tunnel_ipv6; NoAction; }
        default_action = NoAction();
        size = 2048;
    }

    // Everything but the body.
    action write_envelope() {
        hdr.mpls.tc = 0;
        hdr.mpls.s = 0;
        hdr.mpls.ttl = message.ttl;
        hdr.gal.setValid();
        hdr.gal = { GAL_LABEL, 0, 1, 1 };
        hdr.ach.setValid();
        hdr.ach = { 1, 0, 0, CHANNEL_QCI };
        hdr.qci.setValid();
        hdr.qci = { QCI_VERSION, message.flags, message.type, length, 0 };
        truncate((bit<32>)length + 26 + outer_bytes);  // what came behind the message stays here
    }

    action write_pair() {
        hdr.pair.setValid();
        hdr.pair = { message.pair_seq, message.origin_seq, message.bell, 0, message.reason, 0,
                     message.remaining_us };
        hdr.device.setInvalid();
        hdr.qubit.setInvalid();
    }

    // A question says nothing of the nodes that it passed.
    action clear_answer() {
        hdr.ping.hop = 0;
        hdr.ping.role = 0;
        hdr.ping.node_id = 0;
        hdr.ping.held = 0;
        hdr.ping.other_held = 0;
        hdr.ping.ring = 0;
        hdr.ping.other_ring = 0;
        hdr.ping.age_us = 0;
        hdr.ping.other_age_us = 0;
        hdr.ping.first_slot = 0;
        hdr.ping.last_slot = 0;
    }

    // Over IPv6 there must be a checksum, and it is never sent as 0: that would say that there is none.
    action udp_checksum_of_pair() {
        MESSAGE_CRC(hdr.qci.checksum, PAIR_BODY);
        UDP_SUM(hdr.udp.checksum, UDP_IPV6_FIELDS(PAIR_BODY));
        hdr.udp.checksum = hdr.udp.checksum == 0 ? 16w0xffff : hdr.udp.checksum;
    }

    action udp_checksum_of_ping() {
        MESSAGE_CRC(hdr.qci.checksum, PING_BODY);
        UDP_SUM(hdr.udp.checksum, UDP_IPV6_FIELDS(PING_BODY));
        hdr.udp.checksum = hdr.udp.checksum == 0 ? 16w0xffff : hdr.udp.checksum;
    }

    // A copy of a packet as it came in, with what happened.
    action write_telemetry() {
        hdr.packet_in.setValid();
        hdr.packet_in = { meta.port_in, PACKET_IN_TELEMETRY, meta.event };
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
        if (standard_metadata.instance_type == INSTANCE_CLONED) {
            write_telemetry();
        } else if (meta.copy == COPY_DEVICE) {
            write_command();
        } else if (meta.copy != COPY_CLASSICAL) {
            message = meta.down;
            if (meta.copy == COPY_UP) {
                message = meta.up;
            }
            length = hdr.ping.isValid() ? QCI_CIRCUIT_PING_LENGTH : QCI_PAIR_LENGTH;
            if (adjacency.apply().hit) {
                write_envelope();
                if (!hdr.ping.isValid()) {
                    write_pair();
                } else if (message.type == QCI_CIRCUIT_PING) {
                    clear_answer();
                }
                if (hdr.ipv6.isValid()) {
                    if (hdr.ping.isValid()) {
                        udp_checksum_of_ping();
                    } else {
                        udp_checksum_of_pair();
                    }
                }
            } else {
                meta.drop_reason = DROP_UNKNOWN_CIRCUIT;
            }
        } else if (meta.flooded == 1
                   && standard_metadata.egress_port == standard_metadata.ingress_port) {
            meta.drop_reason = CONSUMED;
        }
    }
}
