// Header stacks, a stack of unions, a varbit field; look-ahead, advance, verify, loops and masks in
// the parser, and how far it came where the packet ends too early.
#include <core.p4>
#include <v1model.p4>

error { BadKind, TooLong }

header kind_t { bit<8> kind; bit<8> op; }
header label_t { bit<7> value; bit<1> last; bit<8> tag; }
header short_t { bit<8> code; bit<8> value; }
header long_t { bit<8> code; bit<40> value; }
header_union option_t { short_t s; long_t l; }
header options_t { bit<4> words; bit<4> rest; varbit<120> body; }
header report_t { bit<8> error_code; bit<8> path; bit<8> depth; bit<8> valid; }
struct headers_t { report_t r; kind_t k; label_t[4] labels; option_t[3] opts; options_t o; }
struct meta_t { bit<8> path; }

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.k);
        verify(h.k.kind != 0xff, error.BadKind);
        transition select(h.k.kind, h.k.op) {
            (1, _): labels;
            (2, _): unions;
            (3, _): options;
            (4 &&& 0xfc, 0x80 &&& 0x80): skip;
            (8..11, 0..7): peek;
            default: accept;
        }
    }
    state labels {
        p.extract(h.labels.next);
        m.path = m.path + 1;
        transition select(h.labels.last.last, h.labels.last.tag) {
            (1, _): accept;
            (0, 0): options;
            default: labels;
        }
    }
    state unions {
        m.path = m.path | 0x40;
        transition select(p.lookahead<bit<8>>()) {
            1: short_option;
            2 &&& 0xfe: long_option;
            default: accept;
        }
    }
    state short_option { p.extract(h.opts.next.s); transition unions; }
    state long_option { p.extract(h.opts.next.l); transition unions; }
    state options {
        bit<8> ahead = p.lookahead<bit<8>>();
        verify(ahead[7:4] < 15, error.TooLong);
        p.extract(h.o, (bit<32>)ahead[7:4] * 8);
        transition accept;
    }
    state skip { p.advance((bit<32>)h.k.op[2:0] * 8); m.path = 0x20; transition labels; }
    state peek { m.path = p.lookahead<bit<24>>()[15:8]; transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.k.isValid()) { s.egress_spec = 7; exit; }
        s.egress_spec = 1;
        bit<8> op = h.k.op & 15;
        if (op == 1) { h.labels.push_front(1); h.labels[0].setValid(); h.labels[0] = { 5, 0, 6 }; }
        else if (op == 2) { h.labels.pop_front(1); }
        else if (op == 3) { h.labels.pop_front(3); }
        else if (op == 4) { h.labels.push_front(2); }
        else if (op == 5) { h.labels[0] = h.labels[1]; }
        else if (op == 6) { h.opts[0].l.setValid(); h.opts[0].l.code = 2; h.opts[0].l.value = 0x0102030405; }
        else if (op == 7) { h.opts[0].s.setValid(); h.opts[0].s.code = 1; h.opts[0].s.value = 7; }
        else if (op == 8) { h.opts[0] = h.opts[1]; }
        else if (op == 9) { h.o.setInvalid(); }
        else if (op == 10) { h.labels[3].setValid(); h.labels[3] = { 1, 1, 2 }; }
        else if (op == 11) { if (h.labels[0].isValid()) { h.labels[h.k.kind & 1].tag = 0xcc; } }
        else if (op == 12) { h.k.setInvalid(); }
        else if (op == 13) { h.labels[1].setInvalid(); h.opts[1].s.setInvalid(); h.opts[1].l.setInvalid(); }
        h.r.setValid();
        h.r.path = m.path;
        if (s.parser_error == error.NoError) { h.r.error_code = 0; }
        else if (s.parser_error == error.PacketTooShort) { h.r.error_code = 1; }
        else if (s.parser_error == error.StackOutOfBounds) { h.r.error_code = 2; }
        else if (s.parser_error == error.HeaderTooShort) { h.r.error_code = 3; }
        else if (s.parser_error == error.BadKind) { h.r.error_code = 4; }
        else if (s.parser_error == error.TooLong) { h.r.error_code = 5; }
        else { h.r.error_code = 9; }
        h.r.depth = 0;
        if (h.labels[0].isValid()) { h.r.depth = h.r.depth + 1; }
        if (h.labels[1].isValid()) { h.r.depth = h.r.depth + 1; }
        if (h.labels[2].isValid()) { h.r.depth = h.r.depth + 1; }
        if (h.labels[3].isValid()) { h.r.depth = h.r.depth + 1; }
        h.r.valid = 0;
        if (h.opts[0].s.isValid() || h.opts[0].l.isValid()) { h.r.valid = h.r.valid | 1; }
        if (h.opts[1].s.isValid()) { h.r.valid = h.r.valid | 2; }
        if (h.opts[2].l.isValid()) { h.r.valid = h.r.valid | 4; }
        if (h.o.isValid()) { h.r.valid = h.r.valid | 8; }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
