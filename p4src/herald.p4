// A heralding station: joins the two nodes' GEN messages with what its detectors saw, and answers both
// nodes with REPLY. docs/wire.md has the formats, docs/herald.md the tables.

#include <core.p4>
#include <v1model.p4>

#include "include/herald_headers.p4"
#include "include/herald_metadata.p4"
#include "include/link_checksums.p4"

parser HeraldParser(packet_in packet, out herald_headers_t hdr, inout herald_metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    state start {
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }

    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ethertype) {
            ETHERTYPE_QCI: parse_qci;
            ETHERTYPE_DEVICE: parse_device;
            default: accept;
        }
    }

    state parse_qci {
        packet.extract(hdr.qci);
        transition select(hdr.qci.version, hdr.qci.type, hdr.qci.length) {
            (QCI_VERSION, QCI_GEN, QCI_GEN_LENGTH): parse_gen;
            default: accept;
        }
    }

    state parse_gen {
        packet.extract(hdr.gen);
        transition accept;
    }

    state parse_device {
        packet.extract(hdr.device);
        transition select(hdr.device.version, hdr.device.type) {
            (DEVICE_VERSION, DEVICE_MHP_OUTCOME): parse_outcome;
            default: accept;
        }
    }

    state parse_outcome {
        packet.extract(hdr.outcome);
        transition accept;
    }
}

control HeraldVerifyChecksum(inout herald_headers_t hdr, inout herald_metadata_t meta) {
    apply {
        verify_checksum(hdr.gen.isValid(), GEN_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
    }
}

// Records of the attempts under way: per link the 256 latest cycles, modulo 256, for either end. All
// changes are made here: BMv2 runs ingress in one thread.
control HeraldIngress(inout herald_headers_t hdr, inout herald_metadata_t meta,
                      inout standard_metadata_t standard_metadata) {
    counter(32, CounterType.packets) drops;
    counter(256, CounterType.packets) replies;

    register<bit<88>>(8192) gen_a;
    register<bit<88>>(8192) gen_b;
    register<bit<32>>(32) pair_seq;

    bit<32> place;
    bit<88> record_a;
    bit<88> record_b;

    action set_node(bit<5> link, bit<1> is_b) {
        meta.port_kind = HERALD_PORT_NODE;
        meta.link = link;
        meta.is_b = is_b;
    }

    action set_detectors() {
        meta.port_kind = HERALD_PORT_DETECTORS;
    }

    table port_kind {
        key = { standard_metadata.ingress_port: exact; }
        actions = { set_node; set_detectors; NoAction; }
        default_action = NoAction();
        size = 128;
    }

    action set_group(bit<16> group, bit<8> epoch) {
        standard_metadata.mcast_grp = group;
        meta.epoch = epoch;
    }

    // The multicast group with a replica for either end of a link, and the epoch of its numbers: the
    // controller gives another one whenever the registers may have been lost.
    table link_group {
        key = { meta.link: exact; }
        actions = { set_group; NoAction; }
        default_action = NoAction();
        size = 32;
    }

    bit<1> is_sampled;
    bit<32> sample_session;

    action sample(bit<32> mask, bit<32> session) {
        is_sampled = (bit<1>)(meta.mhp_seq & mask == 0);
        sample_session = session;
    }

    // Pairs of a link whose number has no bit of the mask are copied to the controller.
    table sampling {
        key = { meta.link: exact; }
        actions = { sample; NoAction; }
        default_action = NoAction();
        size = 32;
    }

    action find_records(bit<64> cycle) {
        place = 19w0 ++ meta.link ++ cycle[7:0];
        gen_a.read(record_a, place);
        gen_b.read(record_b, place);
    }

    apply {
        if (hdr.packet_out.isValid()) {
            standard_metadata.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
            exit;
        }
        port_kind.apply();
        if (standard_metadata.parser_error != error.NoError) {
            meta.drop_reason = HERALD_DROP_PARSER_ERROR;
        } else if (standard_metadata.checksum_error == 1) {
            meta.drop_reason = HERALD_DROP_BAD_CHECKSUM;
        } else if ((!hdr.gen.isValid() && !hdr.outcome.isValid())
                   || (hdr.gen.isValid() && hdr.qci.flags != 0)
                   || standard_metadata.packet_length > MIN_FRAME_BYTES) {
            meta.drop_reason = HERALD_DROP_MALFORMED;
        } else if (hdr.gen.isValid() && meta.port_kind != HERALD_PORT_NODE) {
            meta.drop_reason = HERALD_DROP_GEN_PORT;
        } else if (hdr.outcome.isValid() && meta.port_kind != HERALD_PORT_DETECTORS) {
            meta.drop_reason = HERALD_DROP_OUTCOME_PORT;
        } else if (hdr.gen.isValid()) {
            find_records(hdr.gen.cycle);
            bit<88> record = record_a;
            if (meta.is_b == 1) {
                record = record_b;
            }
            bit<64> ahead = hdr.gen.cycle - record[RECORD_CYCLE];
            meta.drop_reason = HERALD_CONSUMED;
            if (record[RECORD_STATE] == GEN_KEPT && ahead == 0) {
                meta.drop_reason = HERALD_DROP_DUPLICATE;
            } else if (record[RECORD_STATE] != GEN_EMPTY && (ahead == 0 || ahead[63:63] == 1)) {
                meta.drop_reason = HERALD_DROP_LATE;
            } else {
                record = hdr.gen.cycle ++ hdr.gen.queue_id ++ hdr.gen.queue_seq ++ hdr.gen.kind
                         ++ hdr.gen.present ++ GEN_KEPT ++ 4w0;
                if (meta.is_b == 0) {
                    gen_a.write(place, record);
                } else {
                    gen_b.write(place, record);
                }
            }
        } else if (hdr.device.link >= 32) {
            meta.drop_reason = HERALD_DROP_UNKNOWN_LINK;
        } else {
            meta.link = hdr.device.link[4:0];
            find_records(hdr.outcome.cycle);
            bit<64> ahead_a = hdr.outcome.cycle - record_a[RECORD_CYCLE];
            bit<64> ahead_b = hdr.outcome.cycle - record_b[RECORD_CYCLE];
            bool kept_a = record_a[RECORD_STATE] == GEN_KEPT && ahead_a == 0;
            bool kept_b = record_b[RECORD_STATE] == GEN_KEPT && ahead_b == 0;
            // The detectors' word counts. A GEN of a later cycle in this place can't have come yet: it
            // is forged or damaged, and goes, so that it costs this attempt alone.
            bool older_a = record_a[RECORD_STATE] == GEN_ANSWERED
                           && (ahead_a == 0 || ahead_a[63:63] == 1);
            bool older_b = record_b[RECORD_STATE] == GEN_ANSWERED
                           && (ahead_b == 0 || ahead_b[63:63] == 1);
            if (older_a || older_b) {
                meta.drop_reason = HERALD_DROP_STALE_OUTCOME;
            } else if (!link_group.apply().hit) {
                meta.drop_reason = HERALD_DROP_UNKNOWN_LINK;
            } else {
                // From now on a GEN of this attempt is late, whether there was one or not.
                bit<88> answered = hdr.outcome.cycle ++ 16w0 ++ 2w0 ++ GEN_ANSWERED ++ 4w0;
                gen_a.write(place, answered);
                gen_b.write(place, answered);
                meta.cycle = hdr.outcome.cycle;
                meta.detector_port = standard_metadata.ingress_port;
                pair_seq.read(meta.mhp_seq, (bit<32>)meta.link);
                if (meta.mhp_seq[31:24] != meta.epoch) {
                    meta.mhp_seq = meta.epoch ++ 24w0;
                }
                meta.error_a = MHP_NONE;
                meta.error_b = MHP_NONE;
                bit<8> reply = REPLY_FAIL;
                if (kept_a) {
                    meta.queue_a = record_a[RECORD_QUEUE];
                }
                if (kept_b) {
                    meta.queue_b = record_b[RECORD_QUEUE];
                }
                if (!kept_a && !kept_b) {
                    meta.drop_reason = HERALD_DROP_NO_GEN;
                } else if (!kept_b) {
                    reply = REPLY_ONE_GEN;
                    meta.error_a = MHP_NO_CLASSICAL_OTHER;
                    meta.error_b = MHP_TIME_MISMATCH;
                } else if (!kept_a) {
                    reply = REPLY_ONE_GEN;
                    meta.error_a = MHP_TIME_MISMATCH;
                    meta.error_b = MHP_NO_CLASSICAL_OTHER;
                } else if (record_a[RECORD_QUEUE] != record_b[RECORD_QUEUE]
                           || record_a[RECORD_KIND] != record_b[RECORD_KIND]) {
                    reply = REPLY_QUEUE_MISMATCH;
                    meta.error_a = MHP_QUEUE_MISMATCH;
                    meta.error_b = MHP_QUEUE_MISMATCH;
                } else if (hdr.outcome.outcome != MHP_FAIL
                           && record_a[RECORD_PRESENT] == 1 && record_b[RECORD_PRESENT] == 1) {
                    reply = REPLY_SUCCESS;
                    meta.outcome = hdr.outcome.outcome;
                    meta.mhp_seq = meta.epoch ++ (meta.mhp_seq[23:0] + 1);
                    pair_seq.write((bit<32>)meta.link, meta.mhp_seq);
                    is_sampled = 0;
                    sample_session = 0;
                    sampling.apply();
                    if (is_sampled == 1) {
                        clone_preserving_field_list(CloneType.I2E, sample_session, 1);
                    }
                }
                if (meta.drop_reason == HERALD_DROP_NONE) {
                    replies.count(24w0 ++ meta.link ++ reply[2:0]);
                }
            }
        }
        if (meta.drop_reason != HERALD_DROP_NONE) {
            if (meta.drop_reason != HERALD_CONSUMED) {
                drops.count(meta.drop_reason);
            }
            mark_to_drop(standard_metadata);
        }
    }
}

control HeraldEgress(inout herald_headers_t hdr, inout herald_metadata_t meta,
                     inout standard_metadata_t standard_metadata) {
    action write_reply(bit<16> own, bit<16> other, bit<8> error_code) {
        hdr.device.setInvalid();
        hdr.outcome.setInvalid();
        hdr.qci.setValid();
        hdr.qci = { QCI_VERSION, 0, QCI_REPLY, QCI_REPLY_LENGTH, 0 };
        hdr.reply.setValid();
        hdr.reply = { own[15:8], own[7:0], other[15:8], other[7:0], meta.mhp_seq, meta.outcome, 0,
                      error_code, 0, meta.cycle };
    }

    action set_macs(bit<48> src_mac, bit<48> dst_mac) {
        hdr.ethernet = { dst_mac, src_mac, ETHERTYPE_QCI };
    }

    // The node that a REPLY leaves for.
    table node {
        key = { standard_metadata.egress_port: exact; }
        actions = { set_macs; NoAction; }
        default_action = NoAction();
        size = 128;
    }

    apply {
        if (standard_metadata.instance_type == INSTANCE_CLONE) {
            write_reply(meta.queue_a, meta.queue_b, meta.error_a);
            hdr.ethernet.ethertype = ETHERTYPE_QCI;
            hdr.packet_in.setValid();
            hdr.packet_in = { meta.detector_port, PACKET_IN_HERALD, 11w0 ++ meta.link };
            truncate(46);
        } else if (standard_metadata.egress_rid != 0) {
            if (standard_metadata.egress_rid == REPLICA_A) {
                write_reply(meta.queue_a, meta.queue_b, meta.error_a);
            } else if (standard_metadata.egress_rid == REPLICA_B) {
                write_reply(meta.queue_b, meta.queue_a, meta.error_b);
            }
            node.apply();
            truncate(42);
        }
    }
}

control HeraldComputeChecksum(inout herald_headers_t hdr, inout herald_metadata_t meta) {
    apply {
        update_checksum(hdr.reply.isValid(), REPLY_FIELDS, hdr.qci.checksum, HashAlgorithm.crc32);
    }
}

control HeraldDeparser(packet_out packet, in herald_headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.qci);
        packet.emit(hdr.gen);
        packet.emit(hdr.reply);
        packet.emit(hdr.device);
        packet.emit(hdr.outcome);
    }
}

V1Switch(HeraldParser(), HeraldVerifyChecksum(), HeraldIngress(), HeraldEgress(),
         HeraldComputeChecksum(), HeraldDeparser()) main;
