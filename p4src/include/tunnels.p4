// MPLS-in-UDP (RFC 7510): a circuit's messages across an IP network. A message for one of this node's
// own addresses, from the peer that a tunnel is configured with, loses its outer headers and is then
// dealt with as if it had come in on a port with the tunnel's number. To others it is user data.

control Tunnels(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    action set_tunnel(bit<16> tunnel) {
        meta.tunnelled = 1;
        meta.ingress = tunnel;
    }

    // This node's own address and the peer's.
    table tunnel_ipv4 {
        key = {
            hdr.ipv4.dst: exact;
            hdr.ipv4.src: exact;
        }
        actions = { set_tunnel; NoAction; }
        default_action = NoAction();
        size = 1024;
    }

    table tunnel_ipv6 {
        key = {
            hdr.ipv6.dst: exact;
            hdr.ipv6.src: exact;
        }
        actions = { set_tunnel; NoAction; }
        default_action = NoAction();
        size = 1024;
    }

    apply {
        bit<32> crc;
        bit<16> sum = 0;
        if (hdr.ipv4.isValid()) {
            tunnel_ipv4.apply();
            // RFC 7510: over IPv4 a checksum of 0 says that there is none.
            if (meta.tunnelled == 1 && hdr.udp.checksum != 0) {
                if (hdr.ping.isValid()) {
                    UDP_SUM(sum, UDP_IPV4_FIELDS(PING_BODY));
                } else {
                    UDP_SUM(sum, UDP_IPV4_FIELDS(PAIR_BODY));
                }
            }
        } else {
            tunnel_ipv6.apply();
            // Over IPv6 there must be one.
            if (meta.tunnelled == 1) {
                if (hdr.ping.isValid()) {
                    UDP_SUM(sum, UDP_IPV6_FIELDS(PING_BODY));
                } else {
                    UDP_SUM(sum, UDP_IPV6_FIELDS(PAIR_BODY));
                }
                if (hdr.udp.checksum == 0) {
                    sum = 1;
                }
            }
        }
        if (meta.tunnelled == 1) {
            if (hdr.ping.isValid()) {
                MESSAGE_CRC(crc, PING_BODY);
            } else {
                MESSAGE_CRC(crc, PAIR_BODY);
            }
            if (sum != 0 || crc != hdr.qci.checksum) {
                meta.drop_reason = DROP_BAD_CHECKSUM;
            }
            hdr.ipv4.setInvalid();
            hdr.ipv4_options.setInvalid();
            hdr.ipv6.setInvalid();
            hdr.udp.setInvalid();
        }
    }
}
