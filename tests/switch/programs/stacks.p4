// Header stacks, unions and stacks of unions, in parser, actions and expressions.
#include <core.p4>
#include <v1model.p4>

header cmd_t { bit<8> op; bit<8> arg; bit<8> n; }
header label_t { bit<8> tag; bit<16> value; }
header short_t { bit<8> tag; bit<8> value; }
header long_t { bit<8> tag; bit<24> value; }
header_union option_t { short_t s; long_t l; }
header out_t { bit<8> a; bit<8> b; bit<16> v; }
struct headers_t { out_t o; cmd_t c; label_t[3] labels; option_t[2] options; }
struct meta_t { }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.c); transition next; }
    state next {
        transition select(p.lookahead<bit<8>>()) {
            1: label;
            2: short_option;
            3: long_option;
            default: accept;
        }
    }
    state label { p.extract(h.labels.next); transition next; }
    state short_option { p.extract(h.options.next.s); transition next; }
    state long_option { p.extract(h.options.next.l); transition next; }
}
control MyVerify(inout headers_t h, inout meta_t m) { apply { } }
control MyUpdate(inout headers_t h, inout meta_t m) { apply { } }
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    // p4c compiles a loop right in apply to its body, once; in an action it is a loop.
    action add_up() { for (bit<8> i = 0; i < h.c.n; i = i + 1) { h.c.arg = h.c.arg + i; } }
    apply {
        s.egress_spec = 1;
        if (h.c.op == 1) { h.labels.push_front(1); h.labels[0].setValid(); h.labels[0].tag = 1; h.labels[0].value = (bit<16>)h.c.arg; }
        else if (h.c.op == 2) { h.labels.pop_front(1); }
        else if (h.c.op == 3) { h.labels[h.c.arg].value = 0xABCD; }
        else if (h.c.op == 4) {
            h.o.setValid();
            h.o.v = h.labels[h.c.arg].value;
            h.o.a = 0; h.o.b = 0;
            if (h.options[0].isValid()) { h.o.a = 1; }
            if (h.options[1].l.isValid()) { h.o.b = 1; }
        }
        else if (h.c.op == 5) { h.options[0].l.setValid(); h.options[0].l.tag = 3; h.options[0].l.value = 0x010203; }
        else if (h.c.op == 6) { h.labels[0] = h.labels[1]; }
        else if (h.c.op == 7) { h.labels.pop_front(2); }
        else if (h.c.op == 8) { h.labels.push_front(2); }
        else if (h.c.op == 9) { if (h.labels[0] == h.labels[1]) { h.c.arg = 1; } else { h.c.arg = 2; } }
        else if (h.c.op == 10) { h.options[0].s.setInvalid(); h.options[1].s.setInvalid(); }
        else if (h.c.op == 11) { add_up(); }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
