// Arithmetic: odd widths, signed, saturating, wider than any machine word; shifts, slices, casts,
// concatenations and comparisons, with all operands from the packet.
#include <core.p4>
#include <v1model.p4>

header in_t {
    bit<8> op; bit<3> n; bit<5> m; bit<8> a; bit<8> b; bit<8> shift;
    int<8> sa; int<8> sb; bit<48> x; bit<48> y; int<64> sx; int<64> sy; bit<100> u; bit<100> v; bit<56> w;
}
header out_t {
    bit<8> r; int<8> sr; bit<48> rx; int<64> sx; bit<100> ru; bit<56> rw; bit<1> lt; bit<1> le; bit<1> eq;
    bit<1> slt; bit<1> ult; bit<1> wide; bit<6> pad; bit<8> odd;
}
struct headers_t { out_t o; in_t i; }
struct meta_t { bit<1> flag; bit<7> seven; int<5> five; }

parser P(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.i); transition accept; }
}
control V(inout headers_t h, inout meta_t m) { apply { } }
control I(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        // What is read from a header that is not there is anybody's guess.
        if (!h.i.isValid()) { s.egress_spec = 7; exit; }
        s.egress_spec = (bit<9>)h.i.n;
        h.o.setValid();
        h.o = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
        if (h.i.a < h.i.b) { h.o.lt = 1; }
        if (h.i.x <= h.i.y) { h.o.le = 1; }
        if (h.i.u == h.i.v) { h.o.eq = 1; }
        if (h.i.sa < h.i.sb) { h.o.slt = 1; }
        if (h.i.u < h.i.v) { h.o.ult = 1; }
        if (h.i.sx > h.i.sy) { h.o.wide = 1; }
        h.o.odd = h.i.n ++ h.i.m;
        m.seven = h.i.a[7:1];
        m.five = (int<5>)(bit<5>)h.i.m;
        bit<8> op = h.i.op & 15;
        if (op == 0) {
            h.o.r = h.i.a + h.i.b; h.o.sr = h.i.sa + h.i.sb; h.o.rx = h.i.x + h.i.y;
            h.o.sx = h.i.sx + h.i.sy; h.o.ru = h.i.u + h.i.v;
        } else if (op == 1) {
            h.o.r = h.i.a - h.i.b; h.o.sr = h.i.sa - h.i.sb; h.o.rx = h.i.x - h.i.y;
            h.o.sx = h.i.sx - h.i.sy; h.o.ru = h.i.u - h.i.v;
        } else if (op == 2) {
            h.o.r = h.i.a |+| h.i.b; h.o.sr = h.i.sa |+| h.i.sb; h.o.rx = h.i.x |+| h.i.y;
            h.o.sx = h.i.sx |+| h.i.sy; h.o.ru = h.i.u |+| h.i.v;
        } else if (op == 3) {
            h.o.r = h.i.a |-| h.i.b; h.o.sr = h.i.sa |-| h.i.sb; h.o.rx = h.i.x |-| h.i.y;
            h.o.sx = h.i.sx |-| h.i.sy; h.o.ru = h.i.u |-| h.i.v;
        } else if (op == 4) {
            h.o.r = h.i.a * h.i.b; h.o.sr = h.i.sa * h.i.sb; h.o.rx = h.i.x * h.i.y;
            h.o.sx = h.i.sx * h.i.sy; h.o.ru = h.i.u * h.i.v;
        } else if (op == 5) {
            h.o.r = h.i.a << h.i.shift; h.o.sr = h.i.sa << h.i.shift; h.o.rx = h.i.x << h.i.shift;
            h.o.sx = h.i.sx << h.i.shift; h.o.ru = h.i.u << h.i.shift;
        } else if (op == 6) {
            h.o.r = h.i.a >> h.i.shift; h.o.sr = h.i.sa >> h.i.shift; h.o.rx = h.i.x >> h.i.shift;
            h.o.sx = h.i.sx >> h.i.shift; h.o.ru = h.i.u >> h.i.shift;
        } else if (op == 7) {
            h.o.r = h.i.a & h.i.b; h.o.rx = h.i.x | h.i.y; h.o.sx = h.i.sx ^ h.i.sy; h.o.ru = ~h.i.u;
        } else if (op == 8) {
            h.o.r = -h.i.a; h.o.sr = -h.i.sa; h.o.rx = -h.i.x; h.o.sx = -h.i.sx; h.o.ru = -h.i.u;
        } else if (op == 9) {
            h.o.r = (bit<8>)h.i.x; h.o.sr = (int<8>)h.i.sx; h.o.rx = (bit<48>)h.i.u;
            h.o.sx = (int<64>)h.i.sa; h.o.ru = (bit<100>)h.i.x;
        } else if (op == 10) {
            h.o.rx = h.i.u[71:24]; h.o.ru = h.i.x ++ h.i.a ++ h.i.y[43:0]; h.o.r = h.i.y[40:33];
        } else if (op == 11) {
            h.o.ru[63:16] = h.i.x; h.o.rw[7:0] = h.i.a; h.o.rw[55:50] = h.i.b[5:0]; h.o.rx[12:10] = h.i.n;
        } else if (op == 12) {
            h.o.sx = (int<64>)m.five; h.o.r = (bit<8>)m.seven; h.o.sr = (int<8>)m.five;
        } else if (op == 13) {
            h.o.r = h.i.a > h.i.b ? h.i.a : h.i.b; h.o.rx = h.i.sa >= h.i.sb ? h.i.x : h.i.y;
        } else if (op == 14) {
            h.o.r = 8w1 << h.i.n; h.o.ru = (bit<100>)1 << h.i.shift; h.o.sx = h.i.sx >> 7; h.o.rx = h.i.x >> 8w3;
        } else {
            h.o.rw = h.i.w + (bit<56>)(bit<1>)h.i.n[0:0]; h.o.sr = (int<8>)(h.i.a - 1);
            h.o.ru = h.i.u * 3 + h.i.v - 7;
        }
    }
}
control E(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control C(inout headers_t h, inout meta_t m) { apply { } }
control D(packet_out p, in headers_t h) { apply { p.emit(h.o); p.emit(h.i); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
