// Parsers: stacks, varbits, lookahead, verify, value sets, masks and ranges, errors, loops.
#include <core.p4>
#include <v1model.p4>

error { BadMagic, TooManyItems }

header start_t { bit<8> kind; bit<8> magic; }
header item_t { bit<1> more; bit<7> value; }
header options_t { bit<4> code; bit<4> words; varbit<96> body; }
header wide_t { bit<96> value; }
header report_t { bit<8> error_code; bit<8> items; bit<8> last; bit<16> path; }
struct headers_t { report_t report; start_t start; item_t[4] items; options_t options; wide_t wide; }
struct meta_t { bit<16> path; bit<8> seen; }
struct pair_t { bit<8> kind; bit<8> magic; }

parser MyParser(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    value_set<pair_t>(4) special;
    state start {
        p.extract(h.start);
        verify(h.start.magic != 0xFF, error.BadMagic);
        transition select(h.start.kind, h.start.magic) {
            special: in_set;
            (1, _): items;
            (2, _): options;
            (3, _): wide;
            (4 &&& 0xFC, _): masked;
            (0x20 .. 0x2B, 0x10 .. 0x1F): ranged;
            (9, _): skip;
            (10, _): forever;
            default: accept;
        }
    }
    state in_set { m.path = 1; transition accept; }
    state items {
        m.path = 2;
        p.extract(h.items.next);
        m.seen = m.seen + 1;
        transition select(h.items.last.more) { 1: items; default: items_done; }
    }
    state items_done {
        verify(h.items.lastIndex < 3, error.TooManyItems);
        transition accept;
    }
    state options {
        m.path = 3;
        bit<8> ahead = p.lookahead<bit<8>>();
        p.extract(h.options, (bit<32>)(ahead & 0xF) * 32);
        transition accept;
    }
    state wide {
        m.path = (bit<16>)p.lookahead<bit<96>>()[95:80];
        p.extract(h.wide);
        transition select(h.wide.value) {
            0x0102030405060708090A0B0C: wide_match;
            0xFFFF00000000000000000000 &&& 0xFFFF00000000000000000000: wide_mask;
            default: accept;
        }
    }
    state wide_match { m.path = 40; transition accept; }
    state wide_mask { m.path = 41; transition accept; }
    state masked { m.path = 5; transition accept; }
    state ranged { m.path = 6; transition accept; }
    state skip { p.advance(16); p.extract(h.items[0]); m.path = 7; transition accept; }
    state forever { m.seen = m.seen + 1; transition forever; }
}
control MyVerify(inout headers_t h, inout meta_t m) { apply { } }
control MyUpdate(inout headers_t h, inout meta_t m) { apply { } }
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.report.setValid();
        h.report.items = m.seen;
        h.report.path = m.path;
        h.report.last = 0;
        if (s.parser_error == error.NoError) { h.report.error_code = 0; }
        else if (s.parser_error == error.PacketTooShort) { h.report.error_code = 1; }
        else if (s.parser_error == error.StackOutOfBounds) { h.report.error_code = 2; }
        else if (s.parser_error == error.HeaderTooShort) { h.report.error_code = 3; }
        else if (s.parser_error == error.ParserTimeout) { h.report.error_code = 4; }
        else if (s.parser_error == error.BadMagic) { h.report.error_code = 5; }
        else if (s.parser_error == error.TooManyItems) { h.report.error_code = 6; }
        else { h.report.error_code = 99; }
        if (h.items[1].isValid()) { h.report.last = (bit<8>)h.items[1].value; }
    }
}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control MyDeparser(packet_out p, in headers_t h) { apply { p.emit(h); } }
V1Switch(MyParser(), MyVerify(), MyIngress(), MyEgress(), MyUpdate(), MyDeparser()) main;
