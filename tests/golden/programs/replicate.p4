// Copies of packets: clones from ingress and egress with what they keep, multicast, resubmit,
// recirculate, truncation, drops and their order of precedence; each copy tells what it is.
#include <core.p4>
#include <v1model.p4>

header cmd_t { bit<4> ingress; bit<4> egress; bit<8> arg; bit<8> passes; bit<8> length; }
header trail_t {
    bit<8> instance; bit<8> rid; bit<32> length; bit<9> port; bit<7> ingress_port; bit<8> kept; bit<8> lost;
}
struct headers_t { cmd_t c; trail_t t; }
struct meta_t {
    @field_list(1, 2) bit<8> kept;
    @field_list(2) bit<8> also;
    bit<8> lost;
}

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.c); transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.c.isValid()) { s.egress_spec = 7; exit; }
        s.egress_spec = (bit<9>)h.c.arg & 7;
        if (s.instance_type == 0) { m.kept = h.c.arg; m.also = 0x55; m.lost = 0xaa; }
        bit<32> session = ((bit<32>)h.c.arg & 3) + 1;
        if (h.c.ingress == 1) { clone_preserving_field_list(CloneType.I2E, session, 1); }
        else if (h.c.ingress == 2) { clone(CloneType.I2E, session); mark_to_drop(s); }
        else if (h.c.ingress == 3) { s.mcast_grp = (bit<16>)h.c.arg & 3; }
        else if (h.c.ingress == 4) { s.mcast_grp = 1; mark_to_drop(s); }
        else if (h.c.ingress == 5) { mark_to_drop(s); s.mcast_grp = 2; }
        else if (h.c.ingress == 6 && s.instance_type != 6) {
            m.kept = m.kept + 1;
            h.c.passes = h.c.passes + 1;
            resubmit_preserving_field_list(2);
        }
        else if (h.c.ingress == 7 && s.instance_type == 0) {
            clone_preserving_field_list(CloneType.I2E, session, 2);
            s.mcast_grp = 3;
            m.kept = 0x77;
        }
        else if (h.c.ingress == 8) { exit; }
        else if (h.c.ingress == 9) { truncate((bit<32>)h.c.length); }
        else if (h.c.ingress == 10 && s.instance_type == 0) {
            resubmit_preserving_field_list(1);
            clone(CloneType.I2E, session);
            s.mcast_grp = 1;
        }
        else if (h.c.ingress == 11) { s.egress_spec = 511; }
        if (h.c.ingress != 9 && h.c.arg == 0xff) { mark_to_drop(s); }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        if (!h.c.isValid()) { exit; }
        bit<32> session = ((bit<32>)h.c.arg & 3) + 1;
        if (h.c.egress == 1 && s.instance_type == 0) {
            clone_preserving_field_list(CloneType.E2E, session, 1);
            m.kept = 0x11;
        }
        else if (h.c.egress == 2 && h.c.passes < 3) {
            h.c.passes = h.c.passes + 1;
            m.kept = m.kept + 16;
            recirculate_preserving_field_list(1);
        }
        else if (h.c.egress == 3) { mark_to_drop(s); }
        else if (h.c.egress == 4) { truncate((bit<32>)h.c.length); }
        else if (h.c.egress == 5 && s.instance_type == 0) { clone(CloneType.E2E, session); mark_to_drop(s); }
        else if (h.c.egress == 6 && h.c.passes == 0) {
            h.c.passes = 9;
            recirculate_preserving_field_list(2);
            mark_to_drop(s);
        }
        else if (h.c.egress == 7) { h.c.setInvalid(); }
        h.t.setValid();
        h.t.instance = (bit<8>)s.instance_type;
        h.t.rid = (bit<8>)s.egress_rid;
        h.t.length = s.packet_length;
        h.t.port = s.egress_port;
        h.t.ingress_port = (bit<7>)s.ingress_port;
        h.t.kept = m.kept ^ m.also;
        h.t.lost = m.lost;
    }
}
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h.c); p.emit(h.t); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
