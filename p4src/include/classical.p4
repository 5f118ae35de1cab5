// Classical forwarding: ARP answered for the gateway's addresses, IPv4 and IPv6 routing, MPLS label
// switching of user data, and L2 for what is not addressed to the switch.

control Classical(inout headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    action drop(bit<32> reason) {
        meta.drop_reason = reason;
    }

    action arp_reply(bit<48> mac) {
        hdr.arp.operation = 2;
        hdr.arp.target_mac = hdr.arp.sender_mac;
        bit<32> asked = hdr.arp.target_ip;
        hdr.arp.target_ip = hdr.arp.sender_ip;
        hdr.arp.sender_ip = asked;
        hdr.arp.sender_mac = mac;
        hdr.ethernet.dst = hdr.ethernet.src;
        hdr.ethernet.src = mac;
        standard_metadata.egress_spec = standard_metadata.ingress_port;
    }

    // The addresses that the switch answers for.
    table arp_responder {
        key = {
            standard_metadata.ingress_port: exact;
            hdr.arp.target_ip: exact;
        }
        actions = { arp_reply; NoAction; }
        default_action = NoAction();
        size = 1024;
    }

    // Packets to these addresses are routed; others are switched.
    table my_mac {
        key = { hdr.ethernet.dst: exact; }
        actions = { NoAction; }
        default_action = NoAction();
        size = 64;
    }

    action route(bit<9> port, bit<48> src_mac, bit<48> dst_mac) {
        standard_metadata.egress_spec = port;
        hdr.ethernet.src = src_mac;
        hdr.ethernet.dst = dst_mac;
    }

    table ipv4_route {
        key = { hdr.ipv4.dst: lpm; }
        actions = { route; drop; }
        default_action = drop(DROP_NO_ROUTE);
        size = 65536;
    }

    table ipv6_route {
        key = { hdr.ipv6.dst: lpm; }
        actions = { route; drop; }
        default_action = drop(DROP_NO_ROUTE);
        size = 65536;
    }

    action label_swap(bit<20> label, bit<9> port, bit<48> src_mac, bit<48> dst_mac) {
        hdr.mpls.label = label;
        hdr.mpls.ttl = hdr.mpls.ttl - 1;
        standard_metadata.egress_spec = port;
        hdr.ethernet.src = src_mac;
        hdr.ethernet.dst = dst_mac;
    }

    // Penultimate hop: what was below the bottom label goes on as `ethertype`.
    action label_pop(bit<16> ethertype, bit<9> port, bit<48> src_mac, bit<48> dst_mac) {
        hdr.mpls.setInvalid();
        hdr.ethernet.ethertype = ethertype;
        standard_metadata.egress_spec = port;
        hdr.ethernet.src = src_mac;
        hdr.ethernet.dst = dst_mac;
    }

    table mpls_label {
        key = { hdr.mpls.label: exact; }
        actions = { label_swap; label_pop; drop; }
        default_action = drop(DROP_UNKNOWN_LABEL);
        size = 16384;
    }

    action forward(bit<9> port) {
        standard_metadata.egress_spec = port;
    }

    // To every port of a multicast group but the one that the packet came from.
    action flood(bit<16> group) {
        standard_metadata.mcast_grp = group;
        meta.flooded = 1;
    }

    table l2 {
        key = { hdr.ethernet.dst: exact; }
        actions = { forward; flood; drop; }
        default_action = drop(DROP_UNKNOWN_MAC);
        size = 16384;
    }

    apply {
        if (hdr.mpls.isValid() && !hdr.udp.isValid()) {
            if (hdr.mpls.ttl <= 1) {
                drop(DROP_TTL);
            } else {
                mpls_label.apply();
            }
        } else if (hdr.arp.isValid() && hdr.arp.operation == 1 && arp_responder.apply().hit) {
            // answered
        } else if (my_mac.apply().hit) {
            if (hdr.ipv4.isValid()) {
                if (hdr.ipv4.ttl <= 1) {
                    drop(DROP_TTL);
                } else {
                    hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
                    ipv4_route.apply();
                }
            } else if (hdr.ipv6.isValid()) {
                if (hdr.ipv6.hop_limit <= 1) {
                    drop(DROP_TTL);
                } else {
                    hdr.ipv6.hop_limit = hdr.ipv6.hop_limit - 1;
                    ipv6_route.apply();
                }
            } else {
                drop(DROP_NO_ROUTE);
            }
        } else {
            l2.apply();
        }
    }
}
