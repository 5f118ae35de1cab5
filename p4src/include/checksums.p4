// IPv4's header checksum, and the CRC-32 of QCI messages. The circuit's label is part of the latter,
// so that a damaged label can't carry a message into another circuit.

#include "link_checksums.p4"

#define IPV4_FIELDS { \
        hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.dscp_ecn, hdr.ipv4.total_length, \
        hdr.ipv4.identification, hdr.ipv4.flags, hdr.ipv4.fragment_offset, \
        hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4_options.options }

#define PAIR_BODY \
        hdr.pair.pair_seq, hdr.pair.origin_seq, hdr.pair.bell, hdr.pair.reserved, \
        hdr.pair.reason, hdr.pair.reserved2, hdr.pair.remaining_us

#define PING_BODY \
        hdr.ping.nonce, hdr.ping.time_ps, hdr.ping.sample_first, hdr.ping.sample_count, \
        hdr.ping.hop, hdr.ping.role, hdr.ping.node_id, hdr.ping.held, hdr.ping.other_held, \
        hdr.ping.ring, hdr.ping.other_ring, hdr.ping.reserved, hdr.ping.age_us, \
        hdr.ping.other_age_us, hdr.ping.first_slot, hdr.ping.last_slot

#define MESSAGE_FIELDS(...) { \
        hdr.mpls.label, 12w0, hdr.qci.version, hdr.qci.flags, hdr.qci.type, hdr.qci.length, \
        __VA_ARGS__ }

// What UDP's checksum covers where the datagram is one of our messages; the sum over all of it is 0.
#define UDP_MESSAGE_FIELDS(...) \
        hdr.udp.src_port, hdr.udp.dst_port, hdr.udp.length, hdr.udp.checksum, \
        hdr.mpls.label, hdr.mpls.tc, hdr.mpls.s, hdr.mpls.ttl, \
        hdr.gal.label, hdr.gal.tc, hdr.gal.s, hdr.gal.ttl, \
        hdr.ach.nibble, hdr.ach.version, hdr.ach.reserved, hdr.ach.channel_type, \
        hdr.qci.version, hdr.qci.flags, hdr.qci.type, hdr.qci.length, hdr.qci.checksum, \
        __VA_ARGS__

#define UDP_IPV4_FIELDS(...) { \
        hdr.ipv4.src, hdr.ipv4.dst, 8w0, hdr.ipv4.protocol, hdr.udp.length, \
        UDP_MESSAGE_FIELDS(__VA_ARGS__) }

#define UDP_IPV6_FIELDS(...) { \
        hdr.ipv6.src, hdr.ipv6.dst, 16w0, hdr.udp.length, 24w0, hdr.ipv6.next_header, \
        UDP_MESSAGE_FIELDS(__VA_ARGS__) }

#define MESSAGE_CRC(result, ...) \
        hash(result, HashAlgorithm.crc32, 32w0, MESSAGE_FIELDS(__VA_ARGS__), 64w0x100000000)
#define UDP_SUM(result, ...) \
        hash(result, HashAlgorithm.csum16, 16w0, __VA_ARGS__, 32w0x10000)

#define PROBE_FIELDS { \
        20w0, 12w0, hdr.qci.version, hdr.qci.flags, hdr.qci.type, hdr.qci.length, \
        hdr.probe.node_id, hdr.probe.port, hdr.probe.nonce, hdr.probe.time_ps }

#define QUEUE_FIELDS { QCI_ON_LINK, hdr.queue_message.body }
#define SERVICE_FIELDS { QCI_ON_LINK, hdr.service_message.body }

control QnodeVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.ipv4.isValid(), IPV4_FIELDS, hdr.ipv4.header_checksum,
                        HashAlgorithm.csum16);
        // A message in a UDP datagram may be another node's: see tunnels.p4.
        verify_checksum(hdr.pair.isValid() && !hdr.udp.isValid(), MESSAGE_FIELDS(PAIR_BODY),
                        hdr.qci.checksum, HashAlgorithm.crc32);
        verify_checksum(hdr.ping.isValid() && !hdr.udp.isValid(), MESSAGE_FIELDS(PING_BODY),
                        hdr.qci.checksum, HashAlgorithm.crc32);
        verify_checksum(hdr.probe.isValid(), PROBE_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
        verify_checksum(hdr.reply.isValid(), REPLY_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
        verify_checksum(hdr.queue_message.isValid(), QUEUE_FIELDS, hdr.qci.checksum,
                        HashAlgorithm.crc32);
        verify_checksum(hdr.service_message.isValid(), SERVICE_FIELDS, hdr.qci.checksum,
                        HashAlgorithm.crc32);
    }
}

control QnodeComputeChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.ipv4.isValid(), IPV4_FIELDS, hdr.ipv4.header_checksum,
                        HashAlgorithm.csum16);
        // What passes through as user data stays as it is, damaged or not.
        update_checksum(hdr.pair.isValid() && meta.copy != COPY_CLASSICAL,
                        MESSAGE_FIELDS(PAIR_BODY), hdr.qci.checksum, HashAlgorithm.crc32);
        update_checksum(hdr.ping.isValid() && meta.copy != COPY_CLASSICAL,
                        MESSAGE_FIELDS(PING_BODY), hdr.qci.checksum, HashAlgorithm.crc32);
        update_checksum(hdr.probe.isValid(), PROBE_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
        update_checksum(hdr.gen.isValid(), GEN_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
    }
}
