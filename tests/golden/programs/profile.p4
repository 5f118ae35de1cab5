// Action profiles and selectors: members that tables share, groups chosen by a hash of the packet.
#include <core.p4>
#include <v1model.p4>

header key_t { bit<8> a; bit<8> b; bit<32> flow; bit<16> more; }
header mark_t { bit<8> first; bit<8> second; bit<8> hit; }
struct headers_t { key_t k; mark_t m; }
struct meta_t { }

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.k); transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    action_profile(64) shared_profile;
    action_selector(HashAlgorithm.crc16, 64, 16) selector16;
    action_selector(HashAlgorithm.crc32, 64, 32) selector32;

    action first(bit<8> value) { h.m.first = value; }
    action second(bit<8> value) { h.m.second = value; }
    action forward(bit<9> port, bit<8> value) { s.egress_spec = port; h.m.second = value; }
    action drop() { mark_to_drop(s); }

    table by_member_t {
        key = { h.k.a: exact; }
        actions = { first; second; NoAction; }
        implementation = shared_profile;
        size = 64;
    }
    table by_group16_t {
        key = { h.k.b: ternary; h.k.flow: selector; h.k.more: selector; }
        actions = { first; forward; drop; NoAction; }
        implementation = selector16;
        size = 64;
    }
    table by_group32_t {
        key = { h.k.b: exact; h.k.more: selector; h.k.flow: selector; h.k.a: selector; }
        actions = { second; forward; NoAction; }
        implementation = selector32;
        size = 64;
    }
    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.k.isValid()) { s.egress_spec = 7; exit; }
        s.egress_spec = 1;
        h.m.setValid();
        h.m = { 0, 0, 0 };
        if (by_member_t.apply().hit) { h.m.hit = h.m.hit + 1; }
        if (by_group16_t.apply().hit) { h.m.hit = h.m.hit + 2; }
        if (by_group32_t.apply().hit) { h.m.hit = h.m.hit + 4; }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h.m); p.emit(h.k); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
