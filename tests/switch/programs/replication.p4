// Clones, resubmit, recirculate, multicast, truncation, drops, exit, and the metadata they show.
#include <core.p4>
#include <v1model.p4>

header cmd_t { bit<8> op; bit<16> arg; bit<8> count; }
header trail_t {
    bit<8> instance; bit<16> port; bit<16> rid; bit<32> length; bit<8> kept; bit<8> lost;
}
struct headers_t { cmd_t c; trail_t t; }
struct meta_t {
    @field_list(1) bit<8> kept;
    bit<8> lost;
}

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.c); transition accept; }
}
control MyVerify(inout headers_t h, inout meta_t m) { apply { } }
control MyUpdate(inout headers_t h, inout meta_t m) { apply { } }
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (s.instance_type == 0) { m.kept = 7; m.lost = 9; }
        if (h.c.op == 1) { clone_preserving_field_list(CloneType.I2E, (bit<32>)h.c.arg, 1); }
        else if (h.c.op == 2 && s.instance_type == 0) {
            h.c.count = h.c.count + 1;
            resubmit_preserving_field_list(1);
        }
        else if (h.c.op == 3) { s.mcast_grp = h.c.arg; }
        else if (h.c.op == 4) { mark_to_drop(s); }
        else if (h.c.op == 5) { s.mcast_grp = h.c.arg; mark_to_drop(s); }
        else if (h.c.op == 6) { exit; }
        else if (h.c.op == 7) { truncate((bit<32>)h.c.arg); }
        else if (h.c.op == 8) { clone(CloneType.I2E, (bit<32>)h.c.arg); mark_to_drop(s); }
        else if (h.c.op == 9) { s.priority = (bit<3>)h.c.arg; }
        if (h.c.op == 6) { s.egress_spec = 77; }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        if (h.c.op == 10 && h.c.count < 3) {
            h.c.count = h.c.count + 1;
            recirculate_preserving_field_list(1);
        }
        else if (h.c.op == 11 && s.instance_type == 0) {
            clone_preserving_field_list(CloneType.E2E, (bit<32>)h.c.arg, 1);
            h.c.count = 99;
        }
        else if (h.c.op == 12) { recirculate_preserving_field_list(1); }
        else if (h.c.op == 13) { mark_to_drop(s); }
        else if (h.c.op == 14) { clone(CloneType.E2E, (bit<32>)h.c.arg); }
        h.t.setValid();
        h.t.instance = (bit<8>)s.instance_type;
        h.t.port = (bit<16>)s.egress_port;
        h.t.rid = s.egress_rid;
        h.t.length = s.packet_length;
        h.t.kept = m.kept;
        h.t.lost = m.lost;
    }
}
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h.c); p.emit(h.t); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
