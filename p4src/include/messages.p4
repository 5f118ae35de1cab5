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
    bit<32> origin_at;      // place of the pair's number at the other end, and what stands there
    bit<112> origin;
    bit<1> origin_known;
    bit<1> lost;            // an EXPIRE or its acknowledgement that says so
    bit<8> late_reason;     // why a TRACK is too late

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
        if (lost == 1) {
            meta.down.flags = QCI_FLAG_LOST;
            meta.down.pair_seq = hdr.pair.origin_seq;
        }
        meta.up = meta.down;
    }

    // The message goes on without a record: from here on it names the pair as its origin does.
    action onward_as_lost() {
        meta.down = { hdr.qci.type, hdr.qci.flags | QCI_FLAG_LOST, hdr.pair.origin_seq,
                      hdr.pair.origin_seq, 0, hdr.pair.reason, hdr.mpls.ttl - 1, 0 };
        meta.up = meta.down;
        to_other_side(meta, standard_metadata);
    }

    action keep_track() {
        pair_track.write(index, hdr.pair.origin_seq ++ 1w1 ++ hdr.pair.bell ++ timed ++ 4w0);
        pair_deadline.write(index,
                            (bit<32>)standard_metadata.ingress_global_timestamp + remaining_us);
        if (meta.is_end == 1) {
            pair_of_origin.write(origin_at, hdr.pair.origin_seq ++ meta.far_end ++ 2w0b10 ++ 6w0
                                 ++ hdr.pair.pair_seq);
        }
    }

    action set_state(bit<4> state) {
        side_loses(meta.circuit, meta.side, identity.state);
        write_identity(index, hdr.pair.pair_seq, meta.circuit, state, identity.bell);
    }

    // The pair is dead. A repeater that knows nothing of it, or of its TRACK alone, may have lost the
    // record of its swap.
    action set_dead() {
        bit<4> dead = EXPIRED;
        if (meta.is_end == 0
            && (ours == 0 || identity.state == EARLY || identity.state == LOST)) {
            dead = LOST;
        }
        set_state(dead);
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

    // A TRACK that came too late: its pair is dead, and both directions hear of it.
    action expire_back() {
        answer(QCI_EXPIRE, late_reason);
        happened(meta, EVENT_TIME_UP);
        account(meta, CIRCUIT_EXPIRED);
    }

    apply {
        origin_index(meta.link, hdr.pair.origin_seq, meta.circuit, origin_at);
        origin = 0;
        origin_known = 0;
        lost = 0;
        if (hdr.qci.flags & QCI_FLAG_LOST != 0
            && (hdr.qci.type == QCI_EXPIRE || hdr.qci.type == QCI_EXPIRE_ACK)) {
            lost = 1;
        }
        if (meta.is_end == 1) {
            pair_of_origin.read(origin, origin_at);
            if (origin[111:80] == hdr.pair.origin_seq && origin[79:40] == meta.far_end) {
                origin_known = origin[39:39];
                if (lost == 1 && hdr.qci.type == QCI_EXPIRE && origin_known == 1
                    && origin[38:38] == 0) {
                    hdr.pair.pair_seq = origin[31:0];
                }
            }
        }
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
        late_reason = REASON_TIME_UP;
        if (hdr.qci.type == QCI_TRACK && origin_known == 1 && origin[38:38] == 1) {
            // The other end gave the pair up, and its word overtook this.
            time_up = 1;
            late_reason = REASON_DEAD_PAIR;
        }
        if (lost == 1 && meta.is_end == 0) {
            onward_as_lost();
        } else if (lost == 1 && hdr.qci.type == QCI_EXPIRE
                   && (origin_known == 0 || origin[38:38] == 1)) {
            // Nothing of it has come here: what comes later finds it dead. Or another pair's number
            // has its place since: the device knows what it delivered.
            pair_of_origin.write(origin_at, hdr.pair.origin_seq ++ meta.far_end ++ 2w0b11 ++ 38w0);
            handle = 0;
            command_and_acknowledge(DEVICE_VOID);
            meta.command.flags = DEVICE_FLAG_FAR;
            meta.command.seq = 0;
            meta.command.seq2 = hdr.pair.origin_seq;
            happened(meta, EVENT_EXPIRE_UNKNOWN);
        } else if (ours == 1 && identity.state == SWAPPED) {
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
                    // Another pair has the record by which the acknowledgement would come back.
                    onward_as_lost();
                }
            }
        } else if (hdr.qci.type == QCI_TRACK) {
            if (ours == 1 && (identity.state == DELIVERED || identity.state == COMPLETE)) {
                meta.drop_reason = DROP_TRACK_DUPLICATE;
            } else if (ours == 1 && (identity.state == EXPIRED || identity.state == LOST)) {
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
                set_dead();
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
            } else {
                // Not in memory (yet): what comes for it later finds it dead.
                if (ours == 1 || open == 1) {
                    set_dead();
                } else {
                    happened(meta, EVENT_EXPIRE_UNKNOWN);
                }
                if (hdr.qci.flags & QCI_FLAG_ACK_REQUESTED == 0) {
                    meta.drop_reason = CONSUMED;
                } else if (meta.is_end == 1) {
                    // The device knows what it delivered, even if its switch has forgotten it, or its
                    // first command got lost. The handle here may be another pair's.
                    handle = 0;
                    command_and_acknowledge(DEVICE_VOID);
                } else if (ours == 1 && identity.state != EARLY && identity.state != LOST) {
                    acknowledge();
                } else {
                    // Perhaps it was swapped, and this switch has restarted since.
                    onward_as_lost();
                }
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
