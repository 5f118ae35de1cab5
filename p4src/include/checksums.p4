// IPv4's header checksum, and the CRC-32 of QCI messages. The circuit's label is part of the latter,
// so that a damaged label can't carry a message into another circuit.

#include "link_checksums.p4"

#define IPV4_FIELDS { \
        hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.dscp_ecn, hdr.ipv4.total_length, \
        hdr.ipv4.identification, hdr.ipv4.flags, hdr.ipv4.fragment_offset, \
        hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4_options.options }

#define PAIR_FIELDS { \
        hdr.mpls.label, 12w0, hdr.qci.version, hdr.qci.flags, hdr.qci.type, hdr.qci.length, \
        hdr.pair.pair_seq, hdr.pair.origin_seq, hdr.pair.bell, hdr.pair.reserved, \
        hdr.pair.reason, hdr.pair.reserved2 }

#define PROBE_FIELDS { \
        20w0, 12w0, hdr.qci.version, hdr.qci.flags, hdr.qci.type, hdr.qci.length, \
        hdr.probe.node_id, hdr.probe.port, hdr.probe.nonce, hdr.probe.time_ps }

#define QUEUE_FIELDS { QCI_ON_LINK, hdr.queue_message.body }
#define SERVICE_FIELDS { QCI_ON_LINK, hdr.service_message.body }

control QnodeVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.ipv4.isValid(), IPV4_FIELDS, hdr.ipv4.header_checksum,
                        HashAlgorithm.csum16);
        verify_checksum(hdr.pair.isValid(), PAIR_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
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
        update_checksum(hdr.pair.isValid(), PAIR_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
        update_checksum(hdr.probe.isValid(), PROBE_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
        update_checksum(hdr.gen.isValid(), GEN_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
    }
}
