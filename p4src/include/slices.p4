// Slices: who shares the node. A slice's classical traffic and its QCI messages each have a meter, and
// its pairs a range of memory slots; what is red is dropped, so that one slice's flood takes nothing
// from another. A packet's slice is that of its port, of its label or of its circuit.

#define SLICES 64

// What the meters have let through and stopped, and the slice's pairs: slice ++ SLICE_*.
counter(SLICES * 8, CounterType.packets_and_bytes) slice_traffic;

action count_in_slice(in metadata_t meta, in bit<3> kind) {
    slice_traffic.count((bit<32>)(meta.slice ++ kind));
}

control ClassicalSlice(inout headers_t hdr, inout metadata_t meta,
                       inout standard_metadata_t standard_metadata) {
    meter(SLICES, MeterType.bytes) classical_meter;
    bit<2> colour;

    action set_slice(bit<6> slice) {
        meta.slice = slice;
    }

    // User data on label-switched paths; other traffic belongs to the slice of its port.
    table label_slice {
        key = {
            standard_metadata.ingress_port: exact;
            hdr.mpls.label: exact;
        }
        actions = { set_slice; NoAction; }
        default_action = NoAction();
        size = 4096;
    }

    apply {
        if (hdr.mpls.isValid() && !hdr.udp.isValid()) {
            label_slice.apply();
        }
        classical_meter.execute_meter((bit<32>)meta.slice, colour);
        count_in_slice(meta, SLICE_CLASSICAL + (bit<3>)colour);
        if (colour == COLOUR_RED) {
            meta.drop_reason = DROP_SLICE_CLASSICAL;
        }
    }
}

control QciSlice(inout headers_t hdr, inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) {
    meter(SLICES, MeterType.packets) qci_meter;
    bit<2> colour;

    apply {
        qci_meter.execute_meter((bit<32>)meta.slice, colour);
        count_in_slice(meta, SLICE_QCI + (bit<3>)colour);
        if (colour == COLOUR_RED) {
            meta.drop_reason = DROP_SLICE_QCI;
        }
    }
}

// Which slots the slice may use. A pair's slot must be one of them. Commands name the slots of pairs that were let in here, so
// none ever touches another slice's memory.
control SlotRange(inout headers_t hdr, inout metadata_t meta) {
    action set_slot_range(bit<16> first_slot, bit<16> last_slot) {
        meta.first_slot = first_slot;
        meta.last_slot = last_slot;
    }

    table slot_range {
        key = { meta.slice: exact; }
        actions = { set_slot_range; }
        default_action = set_slot_range(0, 0xffff);
        size = SLICES;
    }

    apply {
        slot_range.apply();
        if (hdr.qubit.isValid()) {
            if (hdr.qubit.slot < meta.first_slot || hdr.qubit.slot > meta.last_slot) {
                meta.drop_reason = DROP_SLICE_SLOT;
            } else {
                count_in_slice(meta, SLICE_PAIR);
                account(meta, CIRCUIT_HERALDED);
            }
        }
    }
}
