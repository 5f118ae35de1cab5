// QCI messages that arrive on a circuit.

control Messages(inout headers_t hdr, inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) {
    bit<32> index;
    identity_t identity;
    bit<1> ours;  // the record at index is the message's pair
    bit<1> open;  // no record that matters stands there: the message is ahead of its pair
    bit<48> peer;
    bit<32> handle;
    bit<40> track;

    action command(bit<8> type) {
        meta.command.type = type;
        meta.command.link = meta.link;
        meta.command.label = hdr.mpls.label;
        meta.command.seq = hdr.pair.pair_seq;
        meta.command.handle = handle;
    }

    // The message goes on, as one about the pair beyond the swap.
    action onward() {
        meta.down = { hdr.qci.type, hdr.qci.flags & QCI_FLAG_ACK_REQUESTED, peer[47:16],
                      hdr.pair.origin_seq, hdr.pair.bell, hdr.pair.reason, hdr.mpls.ttl - 1 };
        meta.up = meta.down;
        to_other_side(meta, standard_metadata);
    }

    // Answers go back where the message came from, about the same pair.
    action answer(bit<8> type, bit<8> reason) {
        meta.down = { type, 0, hdr.pair.pair_seq, hdr.pair.origin_seq, 0, reason, QCI_TTL };
        meta.up = meta.down;
    }

    action keep_track() {
        pair_track.write(index, hdr.pair.origin_seq ++ 1w1 ++ hdr.pair.bell ++ 5w0);
    }

    // Acknowledge an EXPIRE if that was asked for; else nothing leaves.
    action acknowledge() {
        answer(QCI_EXPIRE_ACK, 0);
        if (hdr.qci.flags & QCI_FLAG_ACK_REQUESTED != 0) {
            to_side(meta, standard_metadata);
        } else {
            meta.drop_reason = CONSUMED;
        }
    }

    // A half in this node's memory is dead: command the device, and acknowledge if asked for.
    action command_and_acknowledge(bit<8> type) {
        command(type);
        answer(QCI_EXPIRE_ACK, 0);
        if (hdr.qci.flags & QCI_FLAG_ACK_REQUESTED != 0) {
            standard_metadata.mcast_grp = meta.group_device;
        } else {
            to_device(meta, standard_metadata);
        }
    }

    apply {
        read_identity(meta.link, hdr.pair.pair_seq, index, identity);
        pair_handle.read(handle, index);
        ours = 0;
        open = 0;
        if (identity.state == FREE) {
            open = 1;
        } else if (identity.seq == hdr.pair.pair_seq && identity.circuit == meta.circuit) {
            ours = 1;
        } else if ((int<32>)(hdr.pair.pair_seq - identity.seq) > 0
                   && identity.state != WAITING && identity.state != SWAPPING) {
            open = 1;
        }
        if (hdr.qci.type == QCI_TRACK) {
            if (ours == 1 && identity.state == SWAPPED) {
                pair_peer.read(peer, index);
                onward();
                meta.down.bell = hdr.pair.bell ^ peer[7:6];
                meta.up.bell = hdr.pair.bell ^ peer[7:6];
                happened(meta, EVENT_TRACK_FORWARDED);
            } else if (ours == 1 && identity.state == WAITING && meta.is_end == 1) {
                keep_track();
                write_identity(index, hdr.pair.pair_seq, meta.circuit, DELIVERED,
                               identity.bell);
                command(DEVICE_DELIVER);
                meta.command.bell = hdr.pair.bell;
                meta.command.seq2 = hdr.pair.origin_seq;
                if (meta.side == COPY_UP) {
                    // The tail-end corrects, so that both ends hold Φ+.
                    meta.command.flags = DEVICE_FLAG_CORRECT;
                }
                to_device(meta, standard_metadata);
                happened(meta, EVENT_DELIVER);
                account(meta, CIRCUIT_DELIVERED);
                count_in_slice(meta, SLICE_DELIVER);
            } else if (ours == 1 && identity.state == DELIVERED) {
                meta.drop_reason = DROP_TRACK_DUPLICATE;
            } else if (ours == 1 && identity.state == EXPIRED) {
                answer(QCI_EXPIRE, REASON_DEAD_PAIR);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_TRACK_DEAD);
            } else if (ours == 1) {
                // The swap is still to come, or the herald.
                keep_track();
                meta.drop_reason = CONSUMED;
                happened(meta, EVENT_TRACK_WAITS);
            } else if (open == 1) {
                keep_track();
                write_identity(index, hdr.pair.pair_seq, meta.circuit, EARLY, 0);
                meta.drop_reason = CONSUMED;
                happened(meta, EVENT_TRACK_WAITS);
            } else {
                answer(QCI_EXPIRE, REASON_UNKNOWN_PAIR);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_TRACK_UNKNOWN);
            }
        } else if (hdr.qci.type == QCI_EXPIRE) {
            happened(meta, EVENT_EXPIRE_RECEIVED);
            if (ours == 1 && identity.state == SWAPPED) {
                pair_peer.read(peer, index);
                onward();
            } else if (ours == 1 && identity.state == WAITING) {
                write_identity(index, hdr.pair.pair_seq, meta.circuit, EXPIRED,
                               identity.bell);
                command_and_acknowledge(DEVICE_RELEASE);
                if (meta.is_end == 1 && hdr.qci.flags & QCI_FLAG_ACK_REQUESTED == 0) {
                    // The other end has not said so itself: it must come to know.
                    meta.command.flags = DEVICE_FLAG_ANNOUNCE;
                }
                happened(meta, EVENT_RELEASE);
                account(meta, CIRCUIT_EXPIRED);
            } else if (ours == 1 && identity.state == DELIVERED) {
                if (hdr.qci.flags & QCI_FLAG_ACK_REQUESTED != 0) {
                    // Only the other end can say that a delivery does not count.
                    write_identity(index, hdr.pair.pair_seq, meta.circuit, EXPIRED,
                                   identity.bell);
                    pair_track.read(track, index);
                    command_and_acknowledge(DEVICE_VOID);
                    meta.command.seq2 = track[39:8];
                    happened(meta, EVENT_VOID);
                    account(meta, CIRCUIT_VOIDED);
                } else {
                    meta.drop_reason = CONSUMED;
                }
            } else if (ours == 1 || open == 1) {
                // Not in memory (yet): what comes for it later finds it dead.
                write_identity(index, hdr.pair.pair_seq, meta.circuit, EXPIRED, 0);
                acknowledge();
            } else {
                acknowledge();
                happened(meta, EVENT_EXPIRE_UNKNOWN);
            }
        } else {
            // EXPIRE_ACK
            if (ours == 1 && identity.state == SWAPPED) {
                pair_peer.read(peer, index);
                onward();
            } else if (meta.is_end == 1) {
                command(DEVICE_EXPIRE_CONFIRMED);
                to_device(meta, standard_metadata);
                happened(meta, EVENT_EXPIRE_CONFIRMED);
            } else {
                meta.drop_reason = DROP_ACK_STALE;
            }
        }
    }
}
