// What stays between packets: registers of several widths, indexed counters of every unit. Indices
// are kept in range by the program, as BMv2 does not survive others.
#include <core.p4>
#include <v1model.p4>

@controller_header("packet_in")
header in_t { bit<9> port; bit<7> why; }
@controller_header("packet_out")
header out_t { bit<9> port; bit<7> pad; }
header cmd_t { bit<8> op; bit<8> index; bit<64> value; }
struct headers_t { in_t i; out_t o; cmd_t c; }
struct meta_t { }

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { transition select(s.ingress_port) { 510: from_cpu; default: cmd; } }
    state from_cpu { p.extract(h.o); transition cmd; }
    state cmd { p.extract(h.c); transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    register<bit<64>>(16) words;
    register<bit<5>>(16) small;
    register<int<12>>(16) signed_ones;
    register<bit<130>>(16) wides;
    register<bit<1>>(16) flags;
    counter(16, CounterType.packets) packets;
    counter(16, CounterType.bytes) octets;
    counter(16, CounterType.packets_and_bytes) both;

    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.c.isValid()) { s.egress_spec = 7; exit; }
        s.egress_spec = s.ingress_port;
        if (h.o.isValid()) { s.egress_spec = h.o.port & 7; h.o.setInvalid(); }
        bit<32> at = (bit<32>)h.c.index & 15;
        packets.count(at);
        octets.count(at);
        both.count((bit<32>)h.c.op & 15);
        bit<8> op = h.c.op & 7;
        if (op == 0) {
            bit<64> was;
            words.read(was, at);
            words.write(at, h.c.value);
            h.c.value = was;
        } else if (op == 1) {
            bit<5> n;
            small.read(n, at);
            n = n + (bit<5>)h.c.value;
            small.write(at, n);
            h.c.value = (bit<64>)n;
        } else if (op == 2) {
            int<12> n;
            signed_ones.read(n, at);
            n = n - (int<12>)(bit<12>)h.c.value;
            signed_ones.write(at, n);
            h.c.value = (bit<64>)(bit<12>)n;
        } else if (op == 3) {
            bit<130> n;
            wides.read(n, at);
            n = (n << 3) ^ (bit<130>)h.c.value;
            wides.write(at, n);
            h.c.value = n[129:66];
        } else if (op == 4) {
            bit<1> f;
            flags.read(f, at);
            flags.write(at, ~f);
            h.c.value = (bit<64>)f;
        } else if (op == 5) {
            h.i.setValid();
            h.i = { s.ingress_port, 3 };
            s.egress_spec = 510;
        } else if (op == 6) {
            bit<64> x;
            words.read(x, at);
            words.write(15 - at, x + 1);
        } else {
            mark_to_drop(s);
        }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    counter(16, CounterType.packets_and_bytes) sent;
    apply { sent.count((bit<32>)s.egress_port & 15); }
}
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h.i); p.emit(h.c); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
