error {
    BadIpv4Header
}

parser QnodeParser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    state start {
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }

    // What the controller sends leaves as it is: nothing behind the header is looked at.
    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ethertype) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_ARP: parse_arp;
            ETHERTYPE_IPV6: parse_ipv6;
            ETHERTYPE_MPLS: parse_mpls;
            ETHERTYPE_QCI: parse_qci_on_link;
            ETHERTYPE_DEVICE: parse_device;
            default: accept;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        transition accept;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        verify(hdr.ipv4.version == 4 && hdr.ipv4.ihl >= 5, error.BadIpv4Header);
        transition select(hdr.ipv4.ihl) {
            5: parse_ipv4_payload;
            default: parse_ipv4_options;
        }
    }

    state parse_ipv4_options {
        packet.extract(hdr.ipv4_options, ((bit<32>)hdr.ipv4.ihl - 5) * 32);
        transition parse_ipv4_payload;
    }

    state parse_ipv4_payload {
        transition select(hdr.ipv4.fragment_offset, hdr.ipv4.protocol) {
            (0, 17): parse_udp;
            default: accept;
        }
    }

    state parse_ipv6 {
        packet.extract(hdr.ipv6);
        transition select(hdr.ipv6.next_header) {
            17: parse_udp;
            default: accept;
        }
    }

    // MPLS in UDP is looked into where it can be one of our messages; any other is user data.
    state parse_udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dst_port, hdr.udp.length) {
            (UDP_PORT_MPLS, UDP_PAIR_LENGTH): parse_mpls;
            (UDP_PORT_MPLS, UDP_CIRCUIT_PING_LENGTH): parse_mpls;
            default: accept;
        }
    }

    // A GAL below the top entry means the associated channel; anything else is user data.
    state parse_mpls {
        packet.extract(hdr.mpls);
        transition select(hdr.mpls.s) {
            0: look_for_gal;
            default: accept;
        }
    }

    state look_for_gal {
        transition select(packet.lookahead<mpls_t>().label, packet.lookahead<mpls_t>().s) {
            (GAL_LABEL, 1): parse_channel;
            default: accept;
        }
    }

    state parse_channel {
        packet.extract(hdr.gal);
        packet.extract(hdr.ach);
        transition select(hdr.ach.nibble, hdr.ach.version, hdr.ach.channel_type) {
            (1, 0, CHANNEL_QCI): parse_qci_on_circuit;
            default: accept;
        }
    }

    // A message whose version, type and length do not go together has no body here, and is dropped.
    state parse_qci_on_circuit {
        packet.extract(hdr.qci);
        transition select(hdr.qci.version, hdr.qci.type, hdr.qci.length) {
            (QCI_VERSION, QCI_TRACK, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_EXPIRE, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_EXPIRE_ACK, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_COMPLETE, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_CORRECTION, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_CORRECTION_ACK, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_DISTIL, QCI_PAIR_LENGTH): parse_pair;
            (QCI_VERSION, QCI_CIRCUIT_PING, QCI_CIRCUIT_PING_LENGTH): parse_circuit_ping;
            (QCI_VERSION, QCI_CIRCUIT_PONG, QCI_CIRCUIT_PING_LENGTH): parse_circuit_ping;
            default: accept;
        }
    }

    state parse_circuit_ping {
        packet.extract(hdr.ping);
        transition accept;
    }

    state parse_pair {
        packet.extract(hdr.pair);
        transition accept;
    }

    state parse_qci_on_link {
        packet.extract(hdr.qci);
        transition select(hdr.qci.version, hdr.qci.type, hdr.qci.length) {
            (QCI_VERSION, QCI_HELLO, QCI_PROBE_LENGTH): parse_probe;
            (QCI_VERSION, QCI_PING, QCI_PROBE_LENGTH): parse_probe;
            (QCI_VERSION, QCI_PONG, QCI_PROBE_LENGTH): parse_probe;
            (QCI_VERSION, QCI_QUEUE &&& QCI_GROUP, QCI_QUEUE_LENGTH): parse_queue_message;
            (QCI_VERSION, QCI_SERVICE &&& QCI_GROUP, QCI_SERVICE_LENGTH): parse_service_message;
            (QCI_VERSION, QCI_REPLY, QCI_REPLY_LENGTH): parse_reply;
            default: accept;
        }
    }

    state parse_queue_message {
        packet.extract(hdr.queue_message);
        transition accept;
    }

    state parse_service_message {
        packet.extract(hdr.service_message);
        transition accept;
    }

    state parse_reply {
        packet.extract(hdr.reply);
        transition accept;
    }

    state parse_probe {
        packet.extract(hdr.probe);
        transition accept;
    }

    state parse_device {
        packet.extract(hdr.device);
        transition select(hdr.device.type) {
            DEVICE_PAIR: parse_qubit;
            DEVICE_SWAPPED: parse_qubit;
            DEVICE_SWAP_FAILED: parse_qubit;
            DEVICE_EXPIRED: parse_qubit;
            DEVICE_DELIVERED: parse_qubit;
            DEVICE_TELEPORTED: parse_qubit;
            DEVICE_DISTILLED: parse_qubit;
            DEVICE_MHP_GEN: parse_gen;
            default: accept;
        }
    }

    state parse_gen {
        packet.extract(hdr.gen);
        transition accept;
    }

    state parse_qubit {
        packet.extract(hdr.qubit);
        transition accept;
    }
}

control QnodeDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.arp);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.ipv4_options);
        packet.emit(hdr.ipv6);
        packet.emit(hdr.udp);
        packet.emit(hdr.mpls);
        packet.emit(hdr.gal);
        packet.emit(hdr.ach);
        packet.emit(hdr.qci);
        packet.emit(hdr.pair);
        packet.emit(hdr.ping);
        packet.emit(hdr.probe);
        packet.emit(hdr.queue_message);
        packet.emit(hdr.service_message);
        packet.emit(hdr.device);
        packet.emit(hdr.qubit);
        packet.emit(hdr.gen);
        packet.emit(hdr.reply);
    }
}
