// What the controller hears of without asking: every n-th packet that something happened to a pair with,
// as a copy to the CPU port, and each QCI message or device frame that was refused, as a digest.

register<bit<32>>(64) telemetry_left;  // by event: how many go by before the next copy

struct anomaly_t {
    bit<8> reason;    // DROP_*
    bit<16> ingress;  // port, or tunnel
    bit<8> type;      // of the QCI message or device frame
    bit<20> label;    // 0 on a link
    bit<32> seq;      // of the pair; 0 where the message has no such body
    bit<48> src;      // Ethernet source address
}

control Telemetry(inout headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    action sample(bit<32> interval) {
        bit<32> left;
        telemetry_left.read(left, (bit<32>)meta.event);
        if (left == 0) {
            left = interval;
            clone_preserving_field_list(CloneType.I2E, TELEMETRY_SESSION, 2);
        }
        telemetry_left.write((bit<32>)meta.event, left - 1);
    }

    // How often an event is copied: every interval-th time, from the next on.
    table telemetry {
        key = { meta.event: exact; }
        actions = { sample; NoAction; }
        default_action = NoAction();
        size = 64;
    }

    apply {
        if (meta.event != 0) {
            telemetry.apply();
        }
    }
}

control Anomalies(inout headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    anomaly_t anomaly;

    apply {
        anomaly = { (bit<8>)meta.drop_reason, meta.ingress, 0, 0, 0, hdr.ethernet.src };
        if (hdr.device.isValid()) {
            anomaly.type = hdr.device.type;
            if (hdr.qubit.isValid()) {
                anomaly.label = hdr.qubit.label;
                anomaly.seq = hdr.qubit.seq;
            }
        } else if (hdr.qci.isValid()) {
            anomaly.type = hdr.qci.type;
            if (hdr.mpls.isValid()) {
                anomaly.label = hdr.mpls.label;
            }
            if (hdr.pair.isValid()) {
                anomaly.seq = hdr.pair.pair_seq;
            }
        }
        digest<anomaly_t>(1, anomaly);
    }
}
