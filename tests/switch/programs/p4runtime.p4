// One of everything that P4Runtime can address in a v1model program.
#include <core.p4>
#include <v1model.p4>

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<7> reason;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<7> pad;
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> type;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<8>  tos;
    bit<16> length;
    bit<32> rest;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

struct headers_t {
    packet_in_t  packet_in;
    packet_out_t packet_out;
    ethernet_t   ethernet;
    ipv4_t       ipv4;
}

struct learn_t {
    bit<48> src;
    bit<9>  port;
}

struct metadata_t {
    bit<2> color;
    bit<8> counted;
}

const bit<9> CPU_PORT = 510;

parser ParserImpl(packet_in packet, out headers_t hdr, inout metadata_t meta,
                  inout standard_metadata_t sm) {
    value_set<bit<16>>(4) ip_types;

    state start {
        transition select(sm.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }
    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition parse_ethernet;
    }
    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            ip_types: parse_ipv4;
            0x0800: parse_ipv4;
            default: accept;
        }
    }
    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        transition accept;
    }
}

control VerifyChecksumImpl(inout headers_t hdr, inout metadata_t meta) { apply { } }

control IngressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    register<bit<32>>(16) values;
    register<int<12>>(4) signed_values;
    register<bit<1>>(8) bits;
    counter(16, CounterType.packets_and_bytes) port_counter;
    meter(16, MeterType.packets) port_meter;
    direct_counter(CounterType.packets_and_bytes) host_counter;
    direct_meter<bit<2>>(MeterType.packets) acl_meter;
    action_profile(8) nexthops;
    action_selector(HashAlgorithm.crc16, 16, 14) ecmp;

    action drop() { mark_to_drop(sm); }
    action forward(bit<9> port) { sm.egress_spec = port; }
    action set_dst(bit<9> port, bit<48> dst) {
        sm.egress_spec = port;
        hdr.ethernet.dst = dst;
    }
    action to_cpu(bit<7> reason) {
        sm.egress_spec = CPU_PORT;
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = sm.ingress_port;
        hdr.packet_in.reason = reason;
    }
    action flood(bit<16> group) { sm.mcast_grp = group; }
    action mirror() { clone(CloneType.I2E, 5); }
    action host(bit<9> port) {
        host_counter.count();
        sm.egress_spec = port;
    }
    action learn() { digest<learn_t>(1, { hdr.ethernet.src, sm.ingress_port }); }
    action mark(bit<8> value) {
        acl_meter.read(meta.color);
        meta.counted = value;
    }
    @name("IngressImpl.only_in_table") action only_in_table() { }
    @name("IngressImpl.only_default") action only_default() { }

    // exact, direct counter, idle time-out
    table hosts {
        key = { hdr.ethernet.dst : exact; }
        actions = { host; to_cpu; flood; mirror; learn; drop; NoAction; }
        counters = host_counter;
        support_timeout = true;
        default_action = NoAction();
        size = 1024;
    }
    // longest prefix
    table routes {
        key = { hdr.ipv4.dst : lpm; }
        actions = { forward; set_dst; @tableonly only_in_table; @defaultonly only_default; NoAction; }
        default_action = NoAction();
        size = 131072;
    }
    // every other match kind, direct meter
    table acl {
        key = {
            hdr.ipv4.src      : ternary;
            hdr.ipv4.protocol : range;
            hdr.ipv4.tos      : optional;
            sm.ingress_port   : exact;
        }
        actions = { mark; drop; NoAction; }
        meters = acl_meter;
        default_action = NoAction();
        size = 256;
    }
    table small {
        key = { hdr.ethernet.type : exact; }
        actions = { forward; NoAction; }
        size = 2;
        default_action = NoAction();
    }
    table constant {
        key = { hdr.ipv4.protocol : exact; }
        actions = { drop; forward; NoAction; }
        const entries = {
            253: drop();
            254: forward(7);
        }
        const default_action = NoAction();
    }
    table initial {
        key = { hdr.ipv4.tos : ternary; }
        actions = { forward; NoAction; }
        entries = {
            const 0x10 &&& 0xF0: forward(1);
            0x20 &&& 0xF0: forward(2);
        }
        default_action = NoAction();
        size = 16;
    }
    table keyless {
        actions = { forward; drop; NoAction; }
        default_action = NoAction();
    }
    table indirect {
        key = { hdr.ipv4.src : exact; }
        actions = { forward; set_dst; NoAction; }
        implementation = nexthops;
        size = 64;
    }
    table balanced {
        key = {
            hdr.ipv4.tos   : exact;
            hdr.ipv4.src   : selector;
            hdr.ipv4.dst   : selector;
        }
        actions = { forward; set_dst; NoAction; }
        implementation = ecmp;
        size = 64;
    }

    apply {
        port_counter.count((bit<32>)(bit<4>)sm.ingress_port);
        port_meter.execute_meter((bit<32>)(bit<4>)sm.ingress_port, meta.color);
        if (hdr.packet_out.isValid()) {
            sm.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            keyless.apply();
            small.apply();
            hosts.apply();
            if (hdr.ipv4.isValid()) {
                routes.apply();
                acl.apply();
                constant.apply();
                initial.apply();
                indirect.apply();
                balanced.apply();
                bit<32> n;
                values.read(n, 0);
                values.write(0, n + 1);
                int<12> s;
                signed_values.read(s, 0);
                signed_values.write(0, s - 1);
                bits.write((bit<32>)(bit<3>)hdr.ipv4.tos, 1);
            }
        }
    }
}

control EgressImpl(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t sm) {
    apply {
        if (sm.instance_type == 1 && sm.egress_port == CPU_PORT) {
            hdr.packet_in.setValid();
            hdr.packet_in.ingress_port = sm.ingress_port;
            hdr.packet_in.reason = 99;
        }
    }
}

control ComputeChecksumImpl(inout headers_t hdr, inout metadata_t meta) { apply { } }

control DeparserImpl(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
        packet.emit(hdr.ipv4);
    }
}

V1Switch(ParserImpl(), VerifyChecksumImpl(), IngressImpl(), EgressImpl(), ComputeChecksumImpl(),
         DeparserImpl()) main;
