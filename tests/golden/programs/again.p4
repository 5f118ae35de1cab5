// Clones, resubmit and recirculate with field lists, several in a pass; drops that are taken back.
#include <core.p4>
#include <v1model.p4>
header a_t {
    bit<8> op;
    bit<8> arg;
    bit<16> acc;
}
header t_t {
    bit<32> inst;
    bit<16> iport;
    bit<16> eport;
    bit<16> rid;
    bit<32> plen;
    bit<8> n;
    bit<8> k1;
    bit<8> k2;
}
struct headers {
    t_t t;
    a_t a;
}
struct meta {
    @field_list(1) bit<8> k1;
    @field_list(2) bit<8> k2;
    @field_list(1, 2, 3) bit<8> n;
    @field_list(3) bit<16> acc;
    bit<8> lost;
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        p.extract(h.a);
        transition accept;
    }
}
control V(inout headers h, inout meta m) {
    apply {
    }
}
control I(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        if (!h.a.isValid()) h.a.setValid();
        m.n = m.n + 1;
        m.lost = m.lost + 3;
        m.k1 = m.k1 + h.a.arg;
        m.k2 = m.k2 + 5;
        m.acc = m.acc + 7;
        s.egress_spec = (bit<9>)h.a.op[1:0] + 1;
        if (m.n < 3) {
            if (h.a.op[2:2] == 1) resubmit_preserving_field_list(1);
            if (h.a.op[3:3] == 1) resubmit_preserving_field_list(3);
            if (h.a.op[4:4] == 1)
            clone_preserving_field_list(CloneType.I2E, (bit<32>) h.a.arg[2:0], 1);
            if (h.a.op[5:5] == 1) clone_preserving_field_list(CloneType.I2E, 3, 2);
            if (h.a.op[7:7] == 1) clone(CloneType.I2E, 2);
            if (h.a.arg == 1) truncate(3);
            if (h.a.arg == 2) s.mcast_grp = 2;
            if (h.a.arg == 3) mark_to_drop(s);
            if (h.a.arg == 4) {
                mark_to_drop(s);
                s.mcast_grp = 1;
            }
            if (h.a.arg == 5) {
                s.mcast_grp = 1;
                mark_to_drop(s);
            }
            if (h.a.arg == 6) {
                mark_to_drop(s);
                s.egress_spec = 4;
            }
            if (h.a.arg == 7) s.mcast_grp = 99;
        }
        h.a.acc = h.a.acc + m.acc;
    }
}
control E(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        if (!h.t.isValid()) {
            h.t.setValid();
            h.t.inst = s.instance_type;
            h.t.iport = (bit<16>)s.ingress_port;
            h.t.eport = (bit<16>)s.egress_port;
            h.t.rid = s.egress_rid;
            h.t.plen = s.packet_length;
            h.t.n = m.n;
            h.t.k1 = m.k1;
            h.t.k2 = m.k2 + m.lost;
        }
        if (s.instance_type == 0 && m.n < 3) {
            if (h.a.arg == 8) clone_preserving_field_list(CloneType.E2E, 1, 1);
            if (h.a.arg == 9) {
                clone_preserving_field_list(CloneType.E2E, 2, 2);
                mark_to_drop(s);
            }
            if (h.a.arg == 10) {
                clone_preserving_field_list(CloneType.E2E, 3, 3);
                recirculate_preserving_field_list(1);
            }
            if (h.a.arg == 11) {
                recirculate_preserving_field_list(1);
                truncate(9);
            }
            if (h.a.arg == 12) {
                truncate(40);
                truncate(5);
                truncate(10);
                clone(CloneType.E2E, 1);
            }
            if (h.a.arg == 13) {
                mark_to_drop(s);
                s.egress_spec = 5;
            }
            if (h.a.arg == 14) {
                s.egress_spec = 511;
                recirculate_preserving_field_list(2);
            }
            if (h.a.arg == 15) {
                h.a.setInvalid();
                recirculate_preserving_field_list(2);
                m.n = 9;
            }
        }
    }
}
control U(inout headers h, inout meta m) {
    apply {
    }
}
control D(packet_out p, in headers h) {
    apply {
        p.emit(h.t);
        p.emit(h.a);
    }
}
V1Switch(P(), V(), I(), E(), U(), D()) main;
