// QCI messages about a circuit's pairs.

control Messages(inout headers_t hdr, inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) {
    bit<32> index;
    identity_t identity;
    bit<32> index2;  // of the pair beyond the swap
    identity_t identity2;
    bit<1> ours;  // the record at index is the message's pair
    bit<1> open;  // no record that matters stands there: the message is ahead of its pair
    bit<48> peer;
    bit<32> handle;
    bit<40> track;
    bit<1> timed;           // a TRACK whose time has an end
    bit<1> time_up;         // ... and it is there
    bit<32> remaining_us;

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
                      hdr.pair.origin_seq, hdr.pair.bell, hdr.pair.reason, hdr.mpls.ttl - 1,
                      remaining_us };
        meta.up = meta.down;
        to_other_side(meta, standard_metadata);
    }

    // Answers go back where the message came from, about the same pair.
    action answer(bit<8> type, bit<8> reason) {
        meta.down = { type, 0, hdr.pair.pair_seq, hdr.pair.origin_seq, 0, reason, QCI_TTL, 0 };
        meta.up = meta.down;
    }

    action keep_track() {
        pair_track.write(index, hdr.pair.origin_seq ++ 1w1 ++ hdr.pair.bell ++ timed ++ 4w0);
        pair_deadline.write(index,
                            (bit<32>)standard_metadata.ingress_global_timestamp + remaining_us);
    }

    action set_state(bit<4> state) {
        side_loses(meta.circuit, meta.side, identity.state);
        write_identity(index, hdr.pair.pair_seq, meta.circuit, state, identity.bell);
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

    action acknowledge_here() {
        message_t back = { QCI_EXPIRE_ACK, 0, hdr.pair.pair_seq, hdr.pair.origin_seq, 0, 0,
                           QCI_TTL, 0 };
        if (meta.side == COPY_UP) {
            meta.up = back;
        } else {
            meta.down = back;
        }
        standard_metadata.mcast_grp = meta.group_both;
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

    // A TRACK that came too late: its pair is dead, and both directions hear of it.
    action expire_back() {
        answer(QCI_EXPIRE, REASON_TIME_UP);
        happened(meta, EVENT_TIME_UP);
        account(meta, CIRCUIT_EXPIRED);
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
        timed = 0;
        time_up = 0;
        remaining_us = hdr.pair.remaining_us;
        if (hdr.qci.type == QCI_TRACK && remaining_us != 0) {
            timed = 1;
            if (remaining_us <= meta.delay_us) {
                time_up = 1;
            }
            remaining_us = remaining_us - meta.delay_us;
        }
        if (ours == 1 && identity.state == SWAPPED) {
            pair_peer.read(peer, index);
            onward();
            if (hdr.qci.type == QCI_TRACK) {
                if (time_up == 1) {
                    // Back on this side, and on to the other.
                    expire_back();
                    if (meta.side == COPY_UP) {
                        meta.down.pair_seq = peer[47:16];
                    } else {
                        meta.up.pair_seq = peer[47:16];
                    }
                    standard_metadata.mcast_grp = meta.group_both;
                } else {
                    meta.down.bell = hdr.pair.bell ^ peer[7:6];
                    meta.up.bell = hdr.pair.bell ^ peer[7:6];
                    happened(meta, EVENT_TRACK_FORWARDED);
                }
            } else if (hdr.qci.type == QCI_EXPIRE) {
                happened(meta, EVENT_EXPIRE_RECEIVED);
                read_identity(meta.other_link, peer[47:16], index2, identity2);
                if (hdr.qci.flags & QCI_FLAG_ACK_REQUESTED != 0
                    && (identity2.seq != peer[47:16] || identity2.circuit != meta.circuit)) {
                    // Another pair has the record by which the acknowledgement would come back: it
                    // is given here, and the message goes on all the same.
                    acknowledge_here();
                }
            }
        } else if (hdr.qci.type == QCI_TRACK) {
            if (ours == 1 && (identity.state == DELIVERED || identity.state == COMPLETE)) {
                meta.drop_reason = DROP_TRACK_DUPLICATE;
            } else if (ours == 1 && identity.state == EXPIRED) {
                answer(QCI_EXPIRE, REASON_DEAD_PAIR);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_TRACK_DEAD);
            } else if (ours == 0 && open == 0) {
                answer(QCI_EXPIRE, REASON_UNKNOWN_PAIR);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_TRACK_UNKNOWN);
            } else if (time_up == 1) {
                expire_back();
                if (ours == 1 && identity.state == WAITING) {
                    command(DEVICE_RELEASE);
                    standard_metadata.mcast_grp = meta.group_device;
                } else if (ours == 1 && identity.state == HANDED) {
                    command(DEVICE_VOID);
                    standard_metadata.mcast_grp = meta.group_device;
                } else {
                    to_side(meta, standard_metadata);
                }
                if (meta.is_end == 1) {
                    // The other end must come to know, whatever is lost on the way.
                    meta.command.flags = DEVICE_FLAG_ANNOUNCE;
                }
                set_state(EXPIRED);
            } else if (ours == 1 && identity.state == WAITING && meta.is_end == 1) {
                keep_track();
                set_state(DELIVERED);
                command(DEVICE_DELIVER);
                deliver(meta, DEVICE_DELIVER, hdr.pair.pair_seq, hdr.pair.origin_seq,
                        hdr.pair.bell);
                to_device(meta, standard_metadata);
                happened(meta, EVENT_DELIVER);
            } else if (ours == 1 && identity.state == HANDED) {
                keep_track();
                set_state(DELIVERED);
                command(DEVICE_CONFIRM);
                deliver(meta, DEVICE_CONFIRM, hdr.pair.pair_seq, hdr.pair.origin_seq,
                        hdr.pair.bell);
                to_device(meta, standard_metadata);
                happened(meta, EVENT_CONFIRM);
            } else {
                // The swap is still to come, or the herald.
                keep_track();
                if (ours == 0) {
                    write_identity(index, hdr.pair.pair_seq, meta.circuit, EARLY, 0);
                }
                meta.drop_reason = CONSUMED;
                happened(meta, EVENT_TRACK_WAITS);
            }
        } else if (hdr.qci.type == QCI_EXPIRE) {
            happened(meta, EVENT_EXPIRE_RECEIVED);
            if (ours == 1 && (identity.state == WAITING || identity.state == HANDED)) {
                if (identity.state == HANDED) {
                    command_and_acknowledge(DEVICE_VOID);
                    happened(meta, EVENT_VOID);
                    account(meta, CIRCUIT_VOIDED);
                } else {
                    command_and_acknowledge(DEVICE_RELEASE);
                    happened(meta, EVENT_RELEASE);
                    account(meta, CIRCUIT_EXPIRED);
                }
                set_state(EXPIRED);
                if (meta.is_end == 1 && hdr.qci.flags & QCI_FLAG_ACK_REQUESTED == 0) {
                    // The other end has not said so itself: it must come to know.
                    meta.command.flags = DEVICE_FLAG_ANNOUNCE;
                }
            } else if (ours == 1 && identity.state == DELIVERED) {
                if (hdr.qci.flags & QCI_FLAG_ACK_REQUESTED != 0) {
                    // Only the other end can say that a delivery does not count.
                    set_state(EXPIRED);
                    pair_track.read(track, index);
                    command_and_acknowledge(DEVICE_VOID);
                    meta.command.seq2 = track[39:8];
                    happened(meta, EVENT_VOID);
                    account(meta, CIRCUIT_VOIDED);
                } else {
                    meta.drop_reason = CONSUMED;
                }
            } else if (ours == 1 && identity.state == COMPLETE) {
                // The other end has said that it holds its half: this is an older word.
                acknowledge();
                happened(meta, EVENT_EXPIRE_UNKNOWN);
            } else if (ours == 1 || open == 1) {
                // Not in memory (yet): what comes for it later finds it dead.
                set_state(EXPIRED);
                acknowledge();
            } else {
                acknowledge();
                happened(meta, EVENT_EXPIRE_UNKNOWN);
            }
        } else if (hdr.qci.type == QCI_EXPIRE_ACK) {
            if (meta.is_end == 1) {
                command(DEVICE_EXPIRE_CONFIRMED);
                to_device(meta, standard_metadata);
                happened(meta, EVENT_EXPIRE_CONFIRMED);
            } else {
                meta.drop_reason = DROP_ACK_STALE;
            }
        } else if (hdr.qci.type == QCI_COMPLETE) {
            if (ours == 1 && identity.state == DELIVERED) {
                set_state(COMPLETE);
                pair_track.read(track, index);
                command(DEVICE_COMPLETED);
                meta.command.seq2 = track[39:8];
                to_device(meta, standard_metadata);
                happened(meta, EVENT_COMPLETED);
                account(meta, CIRCUIT_COMPLETED);
            } else {
                meta.drop_reason = DROP_MESSAGE_STALE;
            }
        } else if (hdr.qci.type == QCI_CORRECTION) {
            answer(QCI_CORRECTION_ACK, 0);
            if (ours == 1 && (identity.state == DELIVERED || identity.state == COMPLETE)) {
                command(DEVICE_APPLY_CORRECTION);
                meta.command.bell = hdr.pair.bell;
                meta.command.seq2 = hdr.pair.origin_seq;
                standard_metadata.mcast_grp = meta.group_device;
                happened(meta, EVENT_CORRECTION);
            } else if (meta.is_end == 1 && ((ours == 1 && identity.state == EXPIRED)
                                            || (ours == 0 && open == 0))) {
                // The pair is gone, which the sender hears elsewhere: it need not go on.
                to_side(meta, standard_metadata);
            } else {
                // Not delivered yet: the sender repeats it.
                meta.drop_reason = DROP_MESSAGE_STALE;
            }
        } else if (hdr.qci.type == QCI_DISTIL) {
            if (ours == 1 && identity.state == DELIVERED) {
                command(DEVICE_DISTIL);
                meta.command.flags = hdr.qci.flags & QCI_FLAG_ACK_REQUESTED;
                meta.command.bell = hdr.pair.bell;
                meta.command.seq2 = hdr.pair.origin_seq;
                to_device(meta, standard_metadata);
                happened(meta, EVENT_DISTIL);
            } else {
                // Not delivered yet, or dead: the sender repeats it, or hears of that elsewhere.
                meta.drop_reason = DROP_MESSAGE_STALE;
            }
        } else {
            // CORRECTION_ACK
            if (meta.is_end == 1) {
                command(DEVICE_CORRECTION_CONFIRMED);
                to_device(meta, standard_metadata);
                happened(meta, EVENT_CORRECTION_CONFIRMED);
            } else {
                meta.drop_reason = DROP_MESSAGE_STALE;
            }
        }
    }
}
