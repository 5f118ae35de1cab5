// What the quantum device reports: pairs, swaps, deliveries, expiries. The swap decision is here.

control DeviceEvents(inout headers_t hdr, inout metadata_t meta,
                     inout standard_metadata_t standard_metadata) {
    // The pair of the event; a second one where two are concerned (the other half of a swap).
    bit<32> index;
    identity_t identity;
    bit<1> ours;  // the record at index is the event's pair
    bit<32> index2;
    identity_t identity2;
    bit<1> ours2;
    bit<32> handle2;
    bit<48> peer;
    bit<1> sampled;
    bit<32> head_seq;

    // TRACKs that wait, and what is left of their time; 0: it has no end.
    bit<40> track;
    bit<40> track2;
    bit<32> left;
    bit<32> left2;
    bit<1> time_up;

    // A ring of waiting pairs.
    bit<11> ring;
    bit<16> oldest;
    bit<16> free;
    bit<32> oldest_seq;

    action command(bit<8> type) {
        meta.command.type = type;
        meta.command.link = hdr.device.link;
        meta.command.label = hdr.qubit.label;
        meta.command.seq = hdr.qubit.seq;
        meta.command.handle = hdr.qubit.slot ++ hdr.qubit.generation;
    }

    // A message about this event's pair. Written for both directions: the copy that leaves picks.
    action message(bit<8> type, bit<4> flags, bit<2> bell, bit<8> reason) {
        meta.down = { type, flags, hdr.qubit.seq, hdr.qubit.seq, bell, reason, QCI_TTL, 0 };
        meta.up = meta.down;
    }

    action expire_both(bit<8> reason) {
        message(QCI_EXPIRE, 0, 0, reason);
        if (meta.side == COPY_UP) {
            meta.down.pair_seq = hdr.qubit.seq2;
            meta.down.origin_seq = hdr.qubit.seq2;
        } else {
            meta.up.pair_seq = hdr.qubit.seq2;
            meta.up.origin_seq = hdr.qubit.seq2;
        }
        standard_metadata.mcast_grp = meta.group_both;
    }

    // No place for this pair, or no time for it. No TRACK has told of it, so that no end delivers it;
    // its other half need not wait for its cut-off.
    action refuse(bit<8> reason) {
        command(DEVICE_RELEASE);
        message(QCI_EXPIRE, 0, 0, reason);
        standard_metadata.mcast_grp = meta.group_device;
        account(meta, CIRCUIT_EXPIRED);
    }

    // TRACKs that waited for the swap go on. The one that came with this pair leaves on the other
    // side as a message about the second pair, and the second pair's leaves on this side.
    action tracks_onward() {
        meta.down = { QCI_TRACK, 0, hdr.qubit.seq2, track[39:8],
                      track[6:5] ^ hdr.device.bell ^ identity2.bell, 0, QCI_TTL, left };
        meta.up = { QCI_TRACK, 0, hdr.qubit.seq, track2[39:8],
                    track2[6:5] ^ hdr.device.bell ^ identity.bell, 0, QCI_TTL, left2 };
        if (meta.side == COPY_DOWN) {
            message_t this_side = meta.up;
            meta.up = meta.down;
            meta.down = this_side;
        }
    }

    // What is left of the time of a TRACK that waited, and whether that is nothing.
    action time_left(in bit<40> waited, in bit<32> at, out bit<32> rest) {
        bit<32> deadline;
        rest = 0;
        if (waited[4:4] == 1) {
            pair_deadline.read(deadline, at);
            rest = deadline - (bit<32>)standard_metadata.ingress_global_timestamp;
            if ((int<32>)rest <= 0) {
                time_up = 1;
            }
        }
    }

    action read_ring(bit<1> side) {
        bit<32> ends;
        ring = meta.circuit ++ side;
        ring_ends.read(ends, (bit<32>)ring);
        oldest = ends[31:16];
        free = ends[15:0];
        ring_pairs.read(oldest_seq, (bit<32>)(ring ++ oldest[4:0]));
    }

    action drop_oldest() {
        ring_ends.write((bit<32>)ring, (oldest + 1) ++ free);
    }

    action append_to_ring() {
        ring_pairs.write((bit<32>)(ring ++ free[4:0]), hdr.qubit.seq);
        ring_ends.write((bit<32>)ring, oldest ++ (free + 1));
    }

    apply {
        read_identity(hdr.device.link, hdr.qubit.seq, index, identity);
        time_up = 0;
        ours = 0;
        if (identity.seq == hdr.qubit.seq && identity.circuit == meta.circuit
            && identity.state != FREE) {
            ours = 1;
        }
        if (hdr.device.type == DEVICE_PAIR) {
            track = 0;
            if (ours == 1 && identity.state == EARLY) {
                pair_track.read(track, index);
            }
            if (ours == 1 && (identity.state == EXPIRED || identity.state == LOST)) {
                // EXPIRE overtook the herald: the other half is gone already.
                command(DEVICE_RELEASE);
                to_device(meta, standard_metadata);
                happened(meta, EVENT_RELEASE);
            } else if (ours == 1 && identity.state != EARLY) {
                meta.drop_reason = DROP_DEVICE_STALE;
            } else if (ours == 0 && (identity.state == WAITING || identity.state == SWAPPING)) {
                // Another pair that is in memory has this one's record.
                refuse(REASON_NO_ROOM);
                happened(meta, EVENT_NO_ROOM);
            } else if (meta.is_end == 1) {
                pair_handle.write(index, hdr.qubit.slot ++ hdr.qubit.generation);
                pair_track.write(index, track);
                time_left(track, index, left);
                if (time_up == 1) {
                    write_identity(index, hdr.qubit.seq, meta.circuit, EXPIRED,
                                   hdr.device.bell);
                    refuse(REASON_TIME_UP);
                    happened(meta, EVENT_TIME_UP);
                } else {
                    message(QCI_TRACK, 0, hdr.device.bell, 0);
                    meta.down.remaining_us = meta.budget_us;
                    meta.up.remaining_us = meta.budget_us;
                    happened(meta, EVENT_TRACK_SENT);
                    if (track[7:7] == 1) {
                        write_identity(index, hdr.qubit.seq, meta.circuit, DELIVERED,
                                       hdr.device.bell);
                        command(DEVICE_DELIVER);
                        deliver(meta, DEVICE_DELIVER, hdr.qubit.seq, track[39:8], track[6:5]);
                        standard_metadata.mcast_grp = meta.group_device;
                        side_gains(meta.circuit, meta.side, 0,
                                   standard_metadata.ingress_global_timestamp);
                        happened(meta, EVENT_DELIVER);
                    } else if (meta.request == REQUEST_EARLY) {
                        write_identity(index, hdr.qubit.seq, meta.circuit, HANDED,
                                       hdr.device.bell);
                        command(DEVICE_DELIVER);
                        meta.command.flags = DEVICE_FLAG_EARLY;
                        standard_metadata.mcast_grp = meta.group_device;
                        side_gains(meta.circuit, meta.side, 0,
                                   standard_metadata.ingress_global_timestamp);
                        happened(meta, EVENT_EARLY);
                    } else {
                        write_identity(index, hdr.qubit.seq, meta.circuit, WAITING,
                                       hdr.device.bell);
                        side_gains(meta.circuit, meta.side, 1,
                                   standard_metadata.ingress_global_timestamp);
                        to_side(meta, standard_metadata);
                    }
                }
            } else {
                // A repeater. Is there a partner on the other side?
                read_ring(~meta.side[1:1]);
                if (oldest != free) {
                    drop_oldest();
                    read_identity(meta.other_link, oldest_seq, index2, identity2);
                    if (identity2.seq == oldest_seq && identity2.circuit == meta.circuit
                        && identity2.state == WAITING) {
                        pair_handle.write(index, hdr.qubit.slot ++ hdr.qubit.generation);
                        pair_track.write(index, track);
                        pair_handle.read(handle2, index2);
                        write_identity(index, hdr.qubit.seq, meta.circuit, SWAPPING,
                                       hdr.device.bell);
                        write_identity(index2, oldest_seq, meta.circuit, SWAPPING,
                                       identity2.bell);
                        pair_peer.write(index, oldest_seq ++ meta.other_link ++ 8w0);
                        pair_peer.write(index2, hdr.qubit.seq ++ hdr.device.link ++ 8w0);
                        side_gains(meta.circuit, meta.side, 1,
                                   standard_metadata.ingress_global_timestamp);
                        command(DEVICE_SWAP);
                        meta.command.link2 = meta.other_link;
                        meta.command.seq2 = oldest_seq;
                        meta.command.handle2 = handle2;
                        to_device(meta, standard_metadata);
                        happened(meta, EVENT_SWAP);
                        account(meta, CIRCUIT_SWAP);
                    } else {
                        // That one expired meanwhile. Look at the next.
                        resubmit_preserving_field_list(1);
                    }
                } else {
                    read_ring(meta.side[1:1]);
                    read_identity(hdr.device.link, oldest_seq, index2, identity2);
                    if (free - oldest < RING) {
                        append_to_ring();
                        pair_handle.write(index, hdr.qubit.slot ++ hdr.qubit.generation);
                        pair_track.write(index, track);
                        write_identity(index, hdr.qubit.seq, meta.circuit, WAITING,
                                       hdr.device.bell);
                        side_gains(meta.circuit, meta.side, 1,
                                   standard_metadata.ingress_global_timestamp);
                        meta.drop_reason = CONSUMED;
                    } else if (identity2.seq == oldest_seq
                               && identity2.circuit == meta.circuit
                               && identity2.state == WAITING) {
                        // Full of live pairs.
                        write_identity(index, hdr.qubit.seq, meta.circuit, EXPIRED,
                                       hdr.device.bell);
                        refuse(REASON_NO_ROOM);
                        happened(meta, EVENT_NO_ROOM);
                    } else {
                        drop_oldest();
                        resubmit_preserving_field_list(1);
                    }
                }
            }
        } else if (hdr.device.type == DEVICE_EXPIRED) {
            if (meta.is_end == 1) {
                // Repeated by the device until the other end has confirmed it.
                if (ours == 1) {
                    side_loses(meta.circuit, meta.side, identity.state);
                    write_identity(index, hdr.qubit.seq, meta.circuit, EXPIRED,
                                   identity.bell);
                }
                message(QCI_EXPIRE, QCI_FLAG_ACK_REQUESTED, 0, REASON_CUTOFF);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_EXPIRE_SENT);
                account(meta, CIRCUIT_EXPIRED);
            } else if (ours == 1 && (identity.state == WAITING || identity.state == SWAPPING)) {
                side_loses(meta.circuit, meta.side, identity.state);
                write_identity(index, hdr.qubit.seq, meta.circuit, EXPIRED, identity.bell);
                message(QCI_EXPIRE, 0, 0, REASON_CUTOFF);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_EXPIRE_SENT);
                account(meta, CIRCUIT_EXPIRED);
            } else {
                meta.drop_reason = DROP_DEVICE_STALE;
            }
        } else if (hdr.device.type == DEVICE_DELIVERED || hdr.device.type == DEVICE_TELEPORTED
                   || hdr.device.type == DEVICE_DISTILLED) {
            if (meta.is_end == 0) {
                meta.drop_reason = DROP_DEVICE_MALFORMED;
            } else if (ours == 0 || (identity.state != DELIVERED && identity.state != COMPLETE)) {
                meta.drop_reason = DROP_DEVICE_STALE;
            } else if (hdr.device.type == DEVICE_TELEPORTED) {
                // Repeated by the device until the other end has confirmed it.
                message(QCI_CORRECTION, QCI_FLAG_ACK_REQUESTED, hdr.device.bell, 0);
                to_side(meta, standard_metadata);
                happened(meta, EVENT_CORRECTION_SENT);
            } else if (hdr.device.type == DEVICE_DISTILLED) {
                // What this end read of the spent pair, which the receiver knows by its own number.
                // The flags of the event are those of the message.
                message(QCI_DISTIL, hdr.device.flags & DEVICE_FLAG_ASK, hdr.device.bell, 0);
                meta.down.origin_seq = hdr.qubit.seq2;
                meta.up.origin_seq = hdr.qubit.seq2;
                to_side(meta, standard_metadata);
                happened(meta, EVENT_DISTIL_SENT);
            } else {
                if (hdr.device.flags & DEVICE_FLAG_DISTILLED != 0) {
                    account(meta, CIRCUIT_COMPLETED);
                }
                pair_track.read(track, index);
                head_seq = hdr.qubit.seq;
                if (meta.side == COPY_UP) {
                    head_seq = track[39:8];
                }
                is_sampled(meta, head_seq, sampled);
                if (sampled == 1) {
                    // A measured sample: both ends' outcomes meet at the controller.
                    to_controller(hdr, standard_metadata, PACKET_IN_SAMPLE);
                } else if (meta.complete == 1) {
                    message(QCI_COMPLETE, 0, 0, 0);
                    to_side(meta, standard_metadata);
                    happened(meta, EVENT_COMPLETE_SENT);
                } else {
                    meta.drop_reason = CONSUMED;
                }
            }
        } else if (meta.is_end == 1 || hdr.qubit.link2 != meta.other_link) {
            meta.drop_reason = DROP_DEVICE_MALFORMED;
        } else {
            // SWAPPED or SWAP_FAILED.
            read_identity(hdr.qubit.link2, hdr.qubit.seq2, index2, identity2);
            ours2 = 0;
            if (identity2.seq == hdr.qubit.seq2 && identity2.circuit == meta.circuit
                && identity2.state != FREE) {
                ours2 = 1;
            }
            pair_peer.read(peer, index);
            if (hdr.device.type == DEVICE_SWAPPED && ours == 1 && ours2 == 1
                && identity.state == SWAPPING && identity2.state == SWAPPING
                && peer[47:16] == hdr.qubit.seq2) {
                pair_track.read(track, index);
                pair_track.read(track2, index2);
                time_left(track, index, left);
                time_left(track2, index2, left2);
                side_loses(meta.circuit, COPY_UP, SWAPPING);
                side_loses(meta.circuit, COPY_DOWN, SWAPPING);
                happened(meta, EVENT_SWAPPED);
                account(meta, CIRCUIT_SWAPPED);
                if (time_up == 1) {
                    write_identity(index, hdr.qubit.seq, meta.circuit, EXPIRED, identity.bell);
                    write_identity(index2, hdr.qubit.seq2, meta.circuit, EXPIRED,
                                   identity2.bell);
                    expire_both(REASON_TIME_UP);
                    happened(meta, EVENT_TIME_UP);
                    account(meta, CIRCUIT_EXPIRED);
                } else {
                    write_identity(index, hdr.qubit.seq, meta.circuit, SWAPPED, identity.bell);
                    write_identity(index2, hdr.qubit.seq2, meta.circuit, SWAPPED,
                                   identity2.bell);
                    // What crossing the swap adds to a frame: the outcome, and the Bell index of
                    // the pair beyond, which the frame does not hold yet.
                    pair_peer.write(index, hdr.qubit.seq2 ++ hdr.qubit.link2
                                    ++ (hdr.device.bell ^ identity2.bell) ++ 6w0);
                    pair_peer.write(index2, hdr.qubit.seq ++ hdr.device.link
                                    ++ (hdr.device.bell ^ identity.bell) ++ 6w0);
                    tracks_onward();
                    if (track[7:7] == 1 && track2[7:7] == 1) {
                        standard_metadata.mcast_grp = meta.group_both;
                    } else if (track[7:7] == 1) {
                        to_other_side(meta, standard_metadata);
                    } else if (track2[7:7] == 1) {
                        to_side(meta, standard_metadata);
                    } else {
                        meta.drop_reason = CONSUMED;
                    }
                }
            } else if ((ours == 0 && ours2 == 0) || (ours == 1 && identity.state == SWAPPED)
                       || (ours2 == 1 && identity2.state == SWAPPED)) {
                // Unknown, or reported before: a swap that was done stays done.
                meta.drop_reason = DROP_DEVICE_STALE;
            } else {
                // It failed, or one of the two died while it was being done: both are gone.
                if (ours == 1) {
                    side_loses(meta.circuit, meta.side, identity.state);
                    write_identity(index, hdr.qubit.seq, meta.circuit, EXPIRED,
                                   identity.bell);
                }
                if (ours2 == 1) {
                    side_loses(meta.circuit, ~meta.side, identity2.state);
                    write_identity(index2, hdr.qubit.seq2, meta.circuit, EXPIRED,
                                   identity2.bell);
                }
                expire_both(REASON_SWAP_FAILED);
                happened(meta, EVENT_SWAP_FAILED);
                account(meta, CIRCUIT_SWAP_FAILED);
            }
        }
    }
}
