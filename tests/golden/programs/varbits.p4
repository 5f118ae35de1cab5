// Varbits: lengths from expressions, copies between headers, a header made valid anew.
#include <core.p4>
#include <v1model.p4>
header f_t {
    bit<4> len;
    bit<4> kind;
}
header v_t {
    bit<8> a;
    varbit<64> v;
    bit<8> z;
}
header w_t {
    varbit<120> v;
}
struct headers {
    f_t f;
    v_t one;
    v_t two;
    w_t w;
    w_t[2] ws;
}
struct meta {
    bit<32> n;
}
error {
    TooLong
}
parser P(packet_in p, out headers h, inout meta m, inout standard_metadata_t s) {
    state start {
        p.extract(h.f);
        m.n = (bit<32>)(h.f.len) * 8;
        transition select(h.f.kind) {
            0: k0;
            1: k1;
            2: k2;
            3: k3;
            4: k4;
            default: k0;
        }
    }
    state k0 {
        p.extract(h.one, (bit<32>)h.f.len << 3);
        transition accept;
    }
    state k1 {
        verify(h.f.len <= 8, error.TooLong);
        p.extract(h.one, m.n);
        p.extract(h.w, m.n + 8);
        transition accept;
    }
    state k2 {
        p.extract(h.ws.next, m.n);
        p.extract(h.ws.next, (bit<32>)(15 - h.f.len) * 8);
        transition accept;
    }
    state k3 {
        p.extract(h.one, (bit<32>)p.lookahead<bit<8>>());
        transition accept;
    }
    state k4 {
        p.extract(h.w, ((bit<32>)h.f.len - 5) << 3);
        transition accept;
    }
}
control V(inout headers h, inout meta m) {
    apply {
    }
}
control I(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (s.parser_error == error.TooLong) s.egress_spec = 2;
        else if (s.parser_error == error.HeaderTooShort) s.egress_spec = 3;
        else if (s.parser_error == error.PacketTooShort) s.egress_spec = 4;
        else if (s.parser_error == error.ParserInvalidArgument) s.egress_spec = 5;
        else if (s.parser_error != error.NoError) s.egress_spec = 6;
        h.two = h.one;
        h.two.a = h.one.a + 1;
        if (h.f.len == 3 && h.one.isValid()) h.two.v = h.one.v;
        if (h.f.len == 4) {
            h.ws[1] = h.ws[0];
            h.ws.push_front(1);
        }
        if (h.f.len == 5 && h.w.isValid() && h.ws[0].isValid()) h.ws[0].v = h.w.v;
        if (h.f.len == 6) {
            h.one.setInvalid();
            h.one.setValid();
            h.one.a = 0x99;
            h.one.z = 0x77;
        }
        if (h.two == h.one) s.egress_spec = 7;
    }
}
control E(inout headers h, inout meta m, inout standard_metadata_t s) {
    apply {
    }
}
control U(inout headers h, inout meta m) {
    apply {
    }
}
control D(packet_out p, in headers h) {
    apply {
        p.emit(h.f);
        p.emit(h.one);
        p.emit(h.two);
        p.emit(h.w);
        p.emit(h.ws);
    }
}
V1Switch(P(), V(), I(), E(), U(), D()) main;
