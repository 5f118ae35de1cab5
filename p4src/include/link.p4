// Messages of the link layer: GEN from the device to the heralding station, REPLY from there to the
// device, and what the link layers of two neighbours say to each other, which goes to the CPU port.

control LinkLayer(inout headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    action send_gen(bit<9> port, bit<48> src_mac, bit<48> dst_mac) {
        hdr.ethernet = { dst_mac, src_mac, ETHERTYPE_QCI };
        hdr.device.setInvalid();
        hdr.qci.setValid();
        hdr.qci = { QCI_VERSION, 0, QCI_GEN, QCI_GEN_LENGTH, 0 };
        standard_metadata.egress_spec = port;
        truncate(34);  // the Ethernet header and the message, without what padded the frame
    }

    // Where the heralding station of a quantum link is.
    table gen_out {
        key = { hdr.device.link: exact; }
        actions = { send_gen; NoAction; }
        default_action = NoAction();
        size = 32;
    }

    action take_reply(bit<8> link, bit<9> device_port) {
        hdr.ethernet = { MAC_DEVICE, MAC_SWITCH, ETHERTYPE_DEVICE };
        hdr.qci.setInvalid();
        hdr.device.setValid();
        hdr.device = { DEVICE_VERSION, 0, DEVICE_MHP_REPLY, link, 0, 0 };
        standard_metadata.egress_spec = device_port;
        truncate(38);
    }

    // A link's REPLYs are accepted from the port of its station alone.
    table reply_in {
        key = { standard_metadata.ingress_port: exact; }
        actions = { take_reply; NoAction; }
        default_action = NoAction();
        size = 32;
    }

    apply {
        if (hdr.gen.isValid()) {
            if (!gen_out.apply().hit) {
                meta.drop_reason = DROP_NO_STATION;
            }
        } else if (!reply_in.apply().hit) {
            meta.drop_reason = DROP_NO_STATION;
        }
    }
}
