/* Distillation of two pairs into one: BBPSSW, DEJMPS, EPL. No twirl, any two-qubit states.
 *
 * One end ("a") holds the first qubits, the other ("b") the second ones. Both ends:
 *   DEJMPS only: rotate both qubits by +pi/2 (a) or -pi/2 (b) about X, each depolarising
 *     with one_qubit_error;
 *   CNOT, the kept pair's qubit as control, depolarising with two_qubit_error;
 *   measure the other pair's qubit in Z (read-out error on the reported bit).
 * Success: reported bits equal (BBPSSW, Bennett et al. 1996; DEJMPS, Deutsch et al. 1996), or
 * both 1 (EPL, Campbell and Benjamin 2008).
 */
#ifndef QPLANE_MEMORY_DISTIL_H
#define QPLANE_MEMORY_DISTIL_H

#include "qplane_cext/memory/measure.h"

enum { BBPSSW = 0, DEJMPS = 1, EPL = 2 };

/* Rotation by +-pi/2 about X on the first qubit, then depolarising. */
static void rotate_x_rows(double *R, double sign, double keep) {
    for (int j = 0; j < 4; j++) {
        double y = R[8 + j], z = R[12 + j];
        R[4 + j] *= keep;
        R[8 + j] = -sign * keep * z;
        R[12 + j] = sign * keep * y;
    }
}

static void distil_prepare(const qm_t *m, view_t *p, int64_t now_a, int64_t now_b, int protocol,
                           const gate_noise_t *ga, const gate_noise_t *gb) {
    view_age(m, p, now_a);
    view_to_matrix(p);
    affine_columns(p->R, ageing(profile_of(m, p->partner), now_b - clock_of(m, p->partner)));
    if (protocol != DEJMPS) return;
    rotate_x_rows(p->R, 1, 1 - ga->one_qubit_error);
    transpose4(p->R);
    rotate_x_rows(p->R, -1, 1 - gb->one_qubit_error);
    transpose4(p->R);
}

/* The end that measures first, alone: the bit that it reports, of its halves as they are at now_a. The
 * qubits stay as they are; qm_distil_second does to them what both ends did. */
static int qm_distil_first(const qm_t *m, int64_t now_a, qm_handle kept, qm_handle spent,
                           int protocol, const gate_noise_t *g, bitgen_t *rng, int *bit) {
    uint32_t q[2] = {slot_of(m, kept), slot_of(m, spent)};
    if (!q[0] || !q[1]) return QM_ESTALE;
    if (!gate_noise_ok(g) || protocol < BBPSSW || protocol > EPL || q[0] == q[1]) return QM_EARG;
    for (int i = 0; i < 2; i++) {
        if (now_a < clock_of(m, q[i])) return QM_ETIME;
        if (!partner_of(m, q[i]) || partner_of(m, q[0]) == q[1]) return QM_EARG;
    }
    double z = 1 - g->two_qubit_error, u = draw(rng);
    for (int i = 0; i < 2; i++) {
        view_t p;
        load_pair(m, q[i], partner_of(m, q[i]), &p);
        view_age(m, &p, now_a);
        view_to_matrix(&p);
        if (protocol == DEJMPS) rotate_x_rows(p.R, 1, 1 - g->one_qubit_error);
        z *= p.R[12]; /* Z of the measured qubit was Z x Z before the CNOT */
    }
    *bit = decide((1 - z) / 2, &u);
    *bit ^= decide(g->readout_error, &u);
    return QM_OK;
}

/* Whether h names two pairs, kept a, b and measured a, b, that can be at these times; their slots. */
static int distil_check(const qm_t *m, int64_t now_a, int64_t now_b, const qm_handle *h,
                        uint32_t *q) {
    for (int i = 0; i < 4; i++)
        if (!(q[i] = slot_of(m, h[i]))) return QM_ESTALE;
    if (q[0] == q[2] || q[0] == q[3] || partner_of(m, q[0]) != q[1] || partner_of(m, q[2]) != q[3])
        return QM_EARG;
    for (int i = 0; i < 4; i++)
        if ((i & 1 ? now_b : now_a) < clock_of(m, q[i])) return QM_ETIME;
    return QM_OK;
}

/* The kept pair a1, b1 and the measured pair a2, b2; bits[0], bits[1] as reported by a and b; `given`
 * is what a has reported already, or -1. The kept pair stays whatever comes out: its ends learn of
 * success by comparing bits. */
static int distil(qm_t *m, arena_t *arena, int64_t now_a, int64_t now_b, const qm_handle *h,
                  int protocol, const gate_noise_t *ga, const gate_noise_t *gb, int given,
                  bitgen_t *rng, int *bits, int *success) {
    uint32_t q[4]; /* a1, b1, a2, b2 */
    int code = distil_check(m, now_a, now_b, h, q);
    if (code) return code;
    if (!gate_noise_ok(ga) || !gate_noise_ok(gb) || protocol < BBPSSW || protocol > EPL)
        return QM_EARG;
    view_t K, S;
    load_pair(m, q[0], q[1], &K);
    load_pair(m, q[2], q[3], &S);
    int bell = K.bell && S.bell;
    distil_prepare(m, &K, now_a, now_b, protocol, ga, gb);
    distil_prepare(m, &S, now_a, now_b, protocol, ga, gb);

    /* CNOT^+ (P x Z^s) CNOT at one end is CONTROL[P][s] on the kept, TARGET[P][s] on the other */
    static const int CONTROL[4][2] = {{0, 3}, {1, 2}, {2, 1}, {3, 0}};
    static const int TARGET[4][2] = {{0, 3}, {1, 2}, {1, 2}, {0, 3}};
    static const double SIGN[4][2] = {{1, 1}, {1, -1}, {1, 1}, {1, 1}};
    double T[2][2][16], p[4], R[16], u = draw(rng);
    double keep_a = 1 - ga->two_qubit_error, keep_b = 1 - gb->two_qubit_error;
    for (int s = 0; s < 2; s++)
        for (int t = 0; t < 2; t++)
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                    T[s][t][4 * i + j] = SIGN[i][s] * SIGN[j][t] * (i || s ? keep_a : 1) *
                                         (j || t ? keep_b : 1) *
                                         K.R[4 * CONTROL[i][s] + CONTROL[j][t]] *
                                         S.R[4 * TARGET[i][s] + TARGET[j][t]];
    double total = 0;
    for (int k = 0; k < 4; k++) { /* k = 2 (bit of a) + (bit of b) */
        double sa = k & 2 ? -1 : 1, sb = k & 1 ? -1 : 1;
        p[k] = (T[0][0][0] + sb * T[0][1][0] + sa * T[1][0][0] + sa * sb * T[1][1][0]) / 4;
        if (!(p[k] > 0)) p[k] = 0;
        if (given >= 0) p[k] *= k >> 1 == given ? 1 - ga->readout_error : ga->readout_error;
        total += p[k];
    }
    if (given >= 0) {
        if (!(total > 0)) return QM_EARG; /* that bit cannot have been read */
        for (int k = 0; k < 4; k++) p[k] /= total;
    }
    int k = pick4(p, &u);
    double sa = k & 2 ? -1 : 1, sb = k & 1 ? -1 : 1;
    for (int i = 0; i < 16; i++)
        R[i] = T[0][0][i] + sb * T[0][1][i] + sa * T[1][0][i] + sa * sb * T[1][1][i];
    for (int i = 15; i >= 0; i--) R[i] /= R[0];
    bits[0] = given >= 0 ? given : k >> 1 ^ decide(ga->readout_error, &u);
    bits[1] = (k & 1) ^ decide(gb->readout_error, &u);
    *success = protocol == EPL ? bits[0] & bits[1] : bits[0] == bits[1];

    drop_block(m, arena, q[0]);
    drop_block(m, arena, q[2]);
    kill_qubit(m, arena, q[2]);
    kill_qubit(m, arena, q[3]);
    set_clock(m, q[0], now_a);
    set_clock(m, q[1], now_b);
    if (bell) {
        double v[3] = {R[5], R[10], R[15]};
        put_bell(m, arena, q[0], q[1], v);
    } else {
        put_pair(m, arena, q[0], q[1], R);
    }
    return QM_OK;
}

/* Both ends at once, or each at its own time. */
static int qm_distil(qm_t *m, arena_t *arena, int64_t now_a, int64_t now_b, const qm_handle *h,
                     int protocol, const gate_noise_t *g, bitgen_t *rng, int *bits, int *success) {
    return distil(m, arena, now_a, now_b, h, protocol, g, g, -1, rng, bits, success);
}

/* Behind qm_distil_first: the other end's bit, given that one. */
static int qm_distil_second(qm_t *m, arena_t *arena, int64_t now_a, int64_t now_b,
                            const qm_handle *h, int protocol, const gate_noise_t *ga,
                            const gate_noise_t *gb, int bit_a, bitgen_t *rng, int *bit_b) {
    int bits[2], success;
    int code = distil(m, arena, now_a, now_b, h, protocol, ga, gb, bit_a, rng, bits, &success);
    if (code == QM_OK) *bit_b = bits[1];
    return code;
}

#endif
