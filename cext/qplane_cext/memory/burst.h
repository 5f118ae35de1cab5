/* Verbs over arrays. A burst is checked as a whole before anything changes, then runs in order
 * with an arena of its own, so that threads with disjoint handles never wait for each other.
 */
#ifndef QPLANE_MEMORY_BURST_H
#define QPLANE_MEMORY_BURST_H

#include "qplane_cext/memory/create.h"
#include "qplane_cext/memory/distil.h"
#include "qplane_cext/memory/peek.h"

#define AHEAD 12 /* records are asked for this many elements before they are used */

typedef struct { /* one operand: n handles, and the times at which they are used */
    const qm_handle *h;
    const int64_t *now_ps;
    int64_t now_step; /* 0: one time for all */
} operand_t;

static inline int64_t time_at(const operand_t *o, int64_t i) { return o->now_ps[o->now_step * i]; }

static inline void ask_for(const qm_t *m, const operand_t *o, int64_t i, int64_t n) {
    if (i + AHEAD < n) {
        uint32_t rec = (uint32_t)o->h[i + AHEAD] >> 1;
        if (rec <= m->capacity) __builtin_prefetch(&m->records[rec], 1);
    }
}

/* Blocks of open records are one step further away. */
static inline void ask_for_block(const qm_t *m, const operand_t *o, int64_t i, int64_t n) {
    if (i + AHEAD / 2 >= n) return;
    uint32_t q = (uint32_t)o->h[i + AHEAD / 2], id;
    if (!(q >> 1) || q >> 1 > m->capacity || !(id = block_of(m, q))) return;
    uint32_t k = BLK_INDEX(id);
    if (BLK_KIND(id) == BLK_PAIR)
        __builtin_prefetch(&m->pairs[k], 1);
    else if (BLK_KIND(id) != BLK_BIG)
        __builtin_prefetch(&m->smalls[k], 1);
}

/* Checks operands: every handle live, not used twice, not before its clock, and (max_qubits > 0)
 * in a small block. QM_OK, or an error with its place in *at (element) and *which (operand). */
static int burst_check(const qm_t *m, int64_t n, const operand_t *o, int operands, int max_qubits,
                       int64_t *at, int *which) {
    int code = QM_OK;
    int64_t i = 0;
    int k = 0;
    for (k = 0; k < operands && !code; k++)
        for (i = 0; i < n; i++) {
            ask_for(m, &o[k], i, n);
            uint32_t q = slot_of(m, o[k].h[i]);
            if (!q)
                code = QM_ESTALE;
            else if (m->marks[q])
                code = QM_EARG;
            else if (o[k].now_ps && time_at(&o[k], i) < clock_of(m, q))
                code = QM_ETIME;
            else if (block_of(m, q) && BLK_KIND(block_of(m, q)) == BLK_BIG &&
                     (max_qubits || may_touch(m, q, o[k].now_ps ? time_at(&o[k], i) : clock_of(m, q))))
                code = QM_EPURE;
            if (code) break;
            m->marks[q] = 1;
        }
    *at = i;
    *which = k - 1;
    for (int done = 0; done < k; done++) {
        int64_t last = code && done == k - 1 ? i : n;
        for (int64_t j = 0; j < last; j++) m->marks[(uint32_t)o[done].h[j]] = 0;
    }
    return code;
}

static int burst_create_pairs(qm_t *m, arena_t *a, int64_t n, const int64_t *now_ps,
                              int64_t now_step, const double *R, int64_t r_step, int pa, int pb,
                              qm_handle *ha, qm_handle *hb) {
    for (int64_t i = 0; i < n; i++) {
        int code = place_pair(m, a, now_ps[now_step * i], R + r_step * i, pa, pb, &ha[i], &hb[i]);
        if (!code) continue;
        while (i--) { /* none of them */
            qm_free(m, a, ha[i], NULL);
            qm_free(m, a, hb[i], NULL);
        }
        return code;
    }
    return QM_OK;
}

static int burst_swap(qm_t *m, arena_t *a, int64_t n, const operand_t *o, const gate_noise_t *g,
                      bitgen_t *rng, int8_t *outcomes) {
    for (int64_t i = 0; i < n; i++) {
        int outcome, actual;
        ask_for_block(m, &o[0], i, n);
        ask_for_block(m, &o[1], i, n);
        int code = qm_bell(m, a, time_at(&o[0], i), o[0].h[i], o[1].h[i], g, rng, &outcome, &actual);
        if (code) return code;
        outcomes[i] = (int8_t)outcome;
    }
    return QM_OK;
}

static int burst_measure(qm_t *m, arena_t *a, int64_t n, const operand_t *o, const double *axis,
                         double readout_error, bitgen_t *rng, int8_t *bits) {
    for (int64_t i = 0; i < n; i++) {
        int bit;
        ask_for_block(m, o, i, n);
        int code = qm_measure(m, a, time_at(o, i), o->h[i], axis, readout_error, rng, &bit);
        if (code) return code;
        bits[i] = (int8_t)bit;
    }
    return QM_OK;
}

static int burst_pauli(qm_t *m, arena_t *a, int64_t n, const operand_t *o, const int8_t *xz,
                       double gate_error, bitgen_t *rng) {
    for (int64_t i = 0; i < n; i++) {
        int code = qm_pauli(m, a, time_at(o, i), o->h[i], xz[i], gate_error, rng);
        if (code) return code;
    }
    return QM_OK;
}

static int burst_age(qm_t *m, arena_t *a, int64_t n, const operand_t *o, bitgen_t *rng) {
    for (int64_t i = 0; i < n; i++) {
        int code = qm_age(m, a, time_at(o, i), o->h[i], rng);
        if (code) return code;
    }
    return QM_OK;
}

static int burst_free(qm_t *m, arena_t *a, int64_t n, const operand_t *o, bitgen_t *rng) {
    for (int64_t i = 0; i < n; i++) {
        int code = qm_free(m, a, o->h[i], rng);
        if (code) return code;
    }
    return QM_OK;
}

/* Operands: kept a, kept b, spent a, spent b. */
static int burst_distil(qm_t *m, arena_t *a, int64_t n, const operand_t *o, int protocol,
                        const gate_noise_t *g, bitgen_t *rng, int8_t *success) {
    for (int64_t i = 0; i < n; i++) { /* the one thing that burst_check() does not know */
        if (partner_of(m, (uint32_t)o[0].h[i]) != (uint32_t)o[1].h[i] ||
            partner_of(m, (uint32_t)o[2].h[i]) != (uint32_t)o[3].h[i])
            return QM_EARG;
    }
    for (int64_t i = 0; i < n; i++) {
        const qm_handle h[4] = {o[0].h[i], o[1].h[i], o[2].h[i], o[3].h[i]};
        int bits[2], ok, code = qm_distil(m, a, time_at(&o[0], i), time_at(&o[0], i), h, protocol,
                                          g, rng, bits, &ok);
        if (code) return code;
        success[i] = (int8_t)ok;
    }
    return QM_OK;
}

static int burst_ghz(qm_t *m, arena_t *a, int64_t count, int n, int64_t now_ps, const int *profiles,
                     qm_handle *h) {
    for (int64_t i = 0; i < count; i++) {
        int code = qm_create_ghz(m, a, now_ps, n, profiles, 0, h + n * i);
        if (!code) continue;
        for (int64_t k = 0; k < n * i; k++) qm_free(m, a, h[k], NULL);
        return code;
    }
    return QM_OK;
}

static int burst_fidelity(const qm_t *m, int64_t n, const operand_t *o, int bell, double *f) {
    for (int64_t i = 0; i < n; i++) {
        int64_t t = o[0].now_ps ? time_at(&o[0], i) : 0;
        uint32_t qa = (uint32_t)o[0].h[i], qb = (uint32_t)o[1].h[i];
        int code = qm_peek_fidelity(m, o[0].h[i], o[0].now_ps ? t : clock_of(m, qa), o[1].h[i],
                                    o[0].now_ps ? t : clock_of(m, qb), bell, &f[i]);
        if (code) return code;
    }
    return QM_OK;
}

#endif
