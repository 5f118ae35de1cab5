// Which circuit a device event or a message belongs to, and what the circuit is at this node: end
// node or repeater, its ports, link numbers and multicast groups.

control Circuit(inout headers_t hdr, inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    action set_circuit(bit<10> circuit_id, bit<2> side, bit<6> slice) {
        meta.circuit = circuit_id;
        meta.side = side;
        meta.slice = slice;
    }

    // The circuit that a link's pair was made for.
    table pair_in {
        key = {
            hdr.device.link: exact;
            hdr.qubit.label: exact;
        }
        actions = { set_circuit; NoAction; }
        default_action = NoAction();
        size = 2048;
    }

    // A circuit's messages are accepted from its own ports (or tunnels) alone.
    table label_in {
        key = {
            meta.ingress: exact @name("ingress");
            hdr.mpls.label: exact;
        }
        actions = { set_circuit; NoAction; }
        default_action = NoAction();
        size = 2048;
    }

    action end_node(bit<9> device_port, bit<2> side, bit<8> link, bit<9> port,
                    bit<16> group_device, bit<2> request, bit<1> complete, bit<32> budget_us,
                    bit<32> delay_us, bit<32> far_node, bit<8> far_link,
                    bit<16> serial) {
        meta.is_end = 1;
        meta.device_port = device_port;
        meta.side = side;
        meta.link = link;
        meta.port = port;
        meta.group_device = group_device;
        meta.request = request;
        meta.complete = complete;
        meta.budget_us = budget_us;
        meta.delay_us = delay_us;
        meta.far_end = far_node ++ far_link;
        meta.serial = serial;
    }

    // Sets what belongs to meta.side, where the event or message came from, and to the other side.
    action repeater(bit<9> device_port,
                    bit<8> link_up, bit<9> port_up, bit<16> group_device_up,
                    bit<8> link_down, bit<9> port_down, bit<16> group_device_down,
                    bit<16> group_both, bit<32> delay_up_us, bit<32> delay_down_us) {
        meta.is_end = 0;
        meta.device_port = device_port;
        meta.group_both = group_both;
        if (meta.side == COPY_UP) {
            meta.link = link_up;
            meta.port = port_up;
            meta.group_device = group_device_up;
            meta.other_link = link_down;
            meta.other_port = port_down;
            meta.delay_us = delay_up_us;
        } else {
            meta.link = link_down;
            meta.port = port_down;
            meta.group_device = group_device_down;
            meta.other_link = link_up;
            meta.other_port = port_up;
            meta.delay_us = delay_down_us;
        }
    }

    action unknown() {
        meta.drop_reason = DROP_UNKNOWN_CIRCUIT;
    }

    table circuit {
        key = { meta.circuit: exact; }
        actions = { end_node; repeater; unknown; }
        default_action = unknown();
        size = CIRCUITS;
    }

    apply {
        bool known;
        if (hdr.qubit.isValid()) {
            known = pair_in.apply().hit;
        } else {
            known = label_in.apply().hit;
        }
        if (known) {
            circuit.apply();
            if (meta.drop_reason == DROP_NONE && hdr.qubit.isValid()
                && meta.link != hdr.device.link) {
                meta.drop_reason = DROP_DEVICE_MALFORMED;
            }
        } else if (hdr.qubit.isValid()) {
            meta.drop_reason = DROP_DEVICE_LABEL;
        } else {
            meta.drop_reason = DROP_UNKNOWN_LABEL;
        }
    }
}
