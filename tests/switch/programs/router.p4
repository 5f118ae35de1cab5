// The IPv4 router of the benchmarks: checksum verified, LPM, TTL, checksum updated.
#include <core.p4>
#include <v1model.p4>

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header ipv4_t {
    bit<4> version; bit<4> ihl; bit<8> tos; bit<16> length; bit<16> id; bit<3> flags;
    bit<13> offset; bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst;
}
struct headers_t { ethernet_t ethernet; ipv4_t ipv4; }
struct meta_t { }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.ethernet);
        transition select(h.ethernet.type) { 0x0800: ipv4; default: accept; }
    }
    state ipv4 { p.extract(h.ipv4); transition accept; }
}
control MyVerify(inout headers_t h, inout meta_t m) {
    apply {
        verify_checksum(h.ipv4.isValid(),
            { h.ipv4.version, h.ipv4.ihl, h.ipv4.tos, h.ipv4.length, h.ipv4.id, h.ipv4.flags,
              h.ipv4.offset, h.ipv4.ttl, h.ipv4.protocol, h.ipv4.src, h.ipv4.dst },
            h.ipv4.checksum, HashAlgorithm.csum16);
    }
}
control MyUpdate(inout headers_t h, inout meta_t m) {
    apply {
        update_checksum(h.ipv4.isValid(),
            { h.ipv4.version, h.ipv4.ihl, h.ipv4.tos, h.ipv4.length, h.ipv4.id, h.ipv4.flags,
              h.ipv4.offset, h.ipv4.ttl, h.ipv4.protocol, h.ipv4.src, h.ipv4.dst },
            h.ipv4.checksum, HashAlgorithm.csum16);
    }
}
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    action drop() { mark_to_drop(s); }
    action forward(bit<48> mac, bit<9> port) {
        s.egress_spec = port;
        h.ethernet.src = h.ethernet.dst;
        h.ethernet.dst = mac;
        h.ipv4.ttl = h.ipv4.ttl - 1;
    }
    table routes {
        key = { h.ipv4.dst : lpm; }
        actions = { forward; drop; }
        default_action = drop();
        size = 131072;
    }
    table acl {
        key = { h.ipv4.src : ternary; h.ipv4.dst : ternary; h.ipv4.protocol : ternary; }
        actions = { drop; NoAction; }
        default_action = NoAction();
        size = 131072;
    }
    apply {
        if (h.ipv4.isValid() && s.checksum_error == 0 && h.ipv4.ttl > 1) {
            routes.apply();
            if (h.ipv4.tos == 0xFF) { acl.apply(); }
        } else { drop(); }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
