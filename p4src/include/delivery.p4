// A pair goes to the application of an end node.

// The pair has the sequence numbers `near` here and `far` at the other end, and this frame. What
// becomes of it is what the circuit was set up for, unless both ends agreed to measure it.
action deliver(inout metadata_t meta, in bit<8> type, in bit<32> near, in bit<32> far,
               in bit<2> bell) {
    bit<1> sampled;
    bit<32> head_seq = far;
    meta.command.type = type;
    meta.command.bell = bell;
    meta.command.seq2 = far;
    meta.command.flags = 0;
    if (meta.side == COPY_UP) {
        // The tail-end corrects, so that both ends hold Φ+.
        meta.command.flags = DEVICE_FLAG_CORRECT;
    } else {
        head_seq = near;
    }
    if (meta.request == REQUEST_MEASURE) {
        meta.command.flags = meta.command.flags | DEVICE_FLAG_MEASURE;
    }
    if (meta.complete == 1) {
        meta.command.flags = meta.command.flags | DEVICE_FLAG_REPORT;
    }
    is_sampled(meta, head_seq, sampled);
    if (type == DEVICE_DELIVER && sampled == 1) {
        meta.command.flags = meta.command.flags | DEVICE_FLAG_MEASURE | DEVICE_FLAG_REPORT;
    }
    count_in_slice(meta, SLICE_DELIVER);
    account(meta, CIRCUIT_DELIVERED);
}
