// Everything that makes packets of packets, in any combination: each is a bit of the packet. The
// trail tells what a copy is, what metadata it kept, and a counter how often each was asked for.
#include <core.p4>
#include <v1model.p4>

header ask_t {
    bit<1> clone_in; bit<1> cut_in; bit<1> resubmit; bit<1> group; bit<1> drop_in; bit<1> late_in;
    bit<2> list_in;
    bit<1> clone_out; bit<1> cut_out; bit<1> recirculate; bit<1> drop_out; bit<1> hide; bit<1> grow;
    bit<2> list_out;
    bit<8> arg; bit<8> length; bit<8> passes;
}
header trail_t {
    bit<8> instance; bit<8> rid; bit<32> length; bit<9> port; bit<7> from; bit<8> kept; bit<16> wide;
    bit<8> lost;
}
struct headers_t { ask_t ask; trail_t[3] trail; }
struct meta_t {
    @field_list(1, 2) bit<8> kept;
    @field_list(2, 3) bit<16> wide;
    bit<8> lost;
}

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.ask); transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    counter(32, CounterType.packets_and_bytes) asked;
    apply {
        if (!h.ask.isValid()) { s.egress_spec = 7; exit; }
        bit<32> session = ((bit<32>)h.ask.arg & 3) + 1;
        asked.count((bit<32>)s.instance_type * 4 + ((bit<32>)h.ask.arg & 3));
        s.egress_spec = (bit<9>)h.ask.arg & 7;
        if (s.instance_type == 0) { m.kept = h.ask.arg; m.wide = 0x1234; m.lost = 0xaa; }
        else { m.kept = m.kept + 1; m.wide = m.wide ^ 0xff00; }
        if (h.ask.late_in == 0 && h.ask.cut_in == 1) { truncate((bit<32>)h.ask.length); }
        if (h.ask.clone_in == 1 && s.instance_type == 0) {
            if (h.ask.list_in == 0) { clone(CloneType.I2E, session); }
            else if (h.ask.list_in == 1) { clone_preserving_field_list(CloneType.I2E, session, 1); }
            else if (h.ask.list_in == 2) { clone_preserving_field_list(CloneType.I2E, session, 2); }
            else { clone_preserving_field_list(CloneType.I2E, session, 3); }
        }
        if (h.ask.resubmit == 1 && s.instance_type == 0) {
            if (h.ask.list_in == 1) { resubmit_preserving_field_list(1); }
            else { resubmit_preserving_field_list(2); }
        }
        if (h.ask.drop_in == 1) { mark_to_drop(s); }
        if (h.ask.group == 1) { s.mcast_grp = ((bit<16>)h.ask.arg & 3) + 1; }
        if (h.ask.late_in == 1) {
            m.kept = 0x77;
            if (h.ask.cut_in == 1) { truncate((bit<32>)h.ask.length); }
        }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    counter(32, CounterType.packets) seen;
    apply {
        if (!h.ask.isValid()) { exit; }
        bit<32> session = ((bit<32>)h.ask.arg & 3) + 1;
        seen.count((bit<32>)s.instance_type * 4 + ((bit<32>)h.ask.arg & 3));
        h.trail[0].setValid();
        h.trail[0].instance = (bit<8>)s.instance_type;
        h.trail[0].rid = (bit<8>)s.egress_rid;
        h.trail[0].length = s.packet_length;
        h.trail[0].port = s.egress_port;
        h.trail[0].from = (bit<7>)s.ingress_port;
        h.trail[0].kept = m.kept;
        h.trail[0].wide = m.wide;
        h.trail[0].lost = m.lost;
        if (h.ask.clone_out == 1 && s.instance_type != 2 && h.ask.passes == 0) {
            if (h.ask.list_out == 0) { clone(CloneType.E2E, session); }
            else if (h.ask.list_out == 1) { clone_preserving_field_list(CloneType.E2E, session, 1); }
            else { clone_preserving_field_list(CloneType.E2E, session, 3); }
        }
        if (h.ask.recirculate == 1 && h.ask.passes < 2) {
            h.ask.passes = h.ask.passes + 1;
            if (h.ask.list_out == 1) { recirculate_preserving_field_list(1); }
            else { recirculate_preserving_field_list(2); }
        }
        if (h.ask.cut_out == 1) { truncate((bit<32>)h.ask.length + 4); }
        if (h.ask.drop_out == 1 && h.ask.passes != 1) { mark_to_drop(s); }
        if (h.ask.grow == 1) { h.trail.push_front(1); h.trail[0].setValid(); h.trail[0] = h.trail[1]; }
        if (h.ask.hide == 1) { h.ask.setInvalid(); }
    }
}
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h.ask); p.emit(h.trail); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
