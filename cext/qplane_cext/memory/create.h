/* Where qubits come from: pairs, single qubits, arbitrary states, GHZ and graph states. */
#ifndef QPLANE_MEMORY_CREATE_H
#define QPLANE_MEMORY_CREATE_H

#include "qplane_cext/memory/blocks.h"

static int profile_ok(const qm_t *m, int p) { return p >= 0 && (uint32_t)p < m->n_profiles; }

/* Whether such a pair is, and while it ages stays, Bell-diagonal. */
static inline int starts_bell(const qm_t *m, const double *R, int pa, int pb) {
    return !m->exact_only && m->profiles[pa].pauli && m->profiles[pb].pauli && is_bell_diagonal(R);
}

/* A fresh pair whose R is a state; both clocks start at now. `bell`: starts_bell(). */
static inline int place_pair(qm_t *m, arena_t *a, int64_t now_ps, const double *R, int bell, int pa,
                             int pb, qm_handle *ha, qm_handle *hb) {
    uint32_t i = new_record(m, a);
    if (!i) return QM_EFULL;
    record_t *r = &m->records[i];
    const double v[3] = {R[5], R[10], R[15]};
    if (rec_fits_compact((uint32_t)pa, (uint32_t)pb, now_ps)) {
        rec_set_compact(r, (uint32_t)pa, (uint32_t)pb, now_ps, v);
        if (!bell) add_rest(m, 2 * i, 2 * i + 1, R);
    } else {
        rec_set_open(r, (uint32_t)pa, (uint32_t)pb, now_ps, now_ps);
        if (bell)
            put_bell(m, a, 2 * i, 2 * i + 1, v);
        else
            put_pair(m, a, 2 * i, 2 * i + 1, R);
    }
    a->live += 2;
    *ha = make_handle(m, 2 * i);
    *hb = make_handle(m, 2 * i + 1);
    return QM_OK;
}

/* The same with its arguments checked, the state once per new matrix. */
static int qm_create_pair(qm_t *m, arena_t *a, int64_t now_ps, const double *R, int pa, int pb,
                          qm_handle *ha, qm_handle *hb) {
    if (!profile_ok(m, pa) || !profile_ok(m, pb)) return QM_EARG;
    if (now_ps < 0) return QM_ETIME;
    if (memcmp(R, m->checked, sizeof m->checked)) {
        if (R[0] != 1 || !is_pair_state(R)) return QM_EARG;
        memcpy(m->checked, R, sizeof m->checked);
    }
    return place_pair(m, a, now_ps, R, starts_bell(m, R, pa, pb), pa, pb, ha, hb);
}

#define CLOCK_MASK(i) (i ? 0xffffull : 31ull << 56) /* of the clock in word i of a compact record */

/* A Werner state of the given fidelity to a Bell state; qm_create_pair() with a memory for the last
 * arguments. */
static int qm_create_werner(qm_t *m, arena_t *a, int64_t now_ps, double fidelity, int bell, int pa,
                            int pb, qm_handle *ha, qm_handle *hb) {
    werner_t *last = &m->werner;
    if (fidelity == last->fidelity && bell == last->bell && pa == last->profile_a &&
        pb == last->profile_b && !(now_ps >> CLOCK_BITS)) {
        uint32_t rec = new_record(m, a);
        if (!rec) return QM_EFULL;
        uint64_t *w = m->records[rec].w, c = (uint64_t)now_ps, generation = w[0];
        w[0] = generation | last->like.w[0] | c >> 48 << 56;
        for (int j = 0; j < 3; j++) w[1 + j] = last->like.w[1 + j] | (c >> (16 * j) & 0xffff);
        if (last->like.w[0] & REST) memset(&m->rests[rec], 0, sizeof m->rests[rec]);
        a->live += 2;
        *ha = generation << 32 | 2 * rec;
        *hb = *ha + 1;
        return QM_OK;
    }
    if (!is_probability(fidelity) || bell < 0 || bell > 3) return QM_EARG;
    double w = (4 * fidelity - 1) / 3, R[16];
    const double v[3] = {w * BELL_SIGN[bell][0], w * BELL_SIGN[bell][1], w * BELL_SIGN[bell][2]};
    bell_to_matrix(v, R);
    int code = qm_create_pair(m, a, now_ps, R, pa, pb, ha, hb);
    record_t *r = code ? NULL : &m->records[(uint32_t)*ha >> 1];
    if (r && rec_kind(r) == REC_COMPACT) {
        *last = (werner_t){fidelity, bell, pa, pb, *r};
        last->like.w[0] &= ~0xffffffffull;
        for (int j = 0; j < 4; j++) last->like.w[j] &= ~CLOCK_MASK(j);
    }
    return code;
}

/* Slots for n qubits with clocks at now and no state yet; all or none. */
static int take_slots(qm_t *m, arena_t *a, int64_t now_ps, int n, const int *profiles,
                      qm_handle *h) {
    for (int k = 0; k < n; k++)
        if (!profile_ok(m, profiles[k])) return QM_EARG;
    if (now_ps < 0) return QM_ETIME;
    for (int k = 0; k < n; k += 2) {
        uint32_t i = new_record(m, a);
        if (!i) {
            while (k) free_record(m, a, (uint32_t)h[k -= 2] >> 1);
            return QM_EFULL;
        }
        rec_set_open(&m->records[i], (uint32_t)profiles[k],
                     (uint32_t)profiles[k + 1 < n ? k + 1 : k], now_ps, now_ps);
        h[k] = make_handle(m, 2 * i);
        if (k + 1 < n) h[k + 1] = make_handle(m, 2 * i + 1);
    }
    a->live += n;
    return QM_OK;
}

/* A state of n <= MAX_VECTOR qubits given as its Pauli vector (a state: the caller checked). */
static int qm_create_state(qm_t *m, arena_t *a, int64_t now_ps, int n, const double *R,
                           const int *profiles, qm_handle *h) {
    if (n < 1) return QM_EARG;
    if (n > MAX_VECTOR) return QM_EPURE;
    big_t *b = big_vector(n);
    if (!b) return QM_ENOMEM;
    int code = take_slots(m, a, now_ps, n, profiles, h);
    if (code) {
        free(b);
        return code;
    }
    vector_t v = {.n = n, .R = b->R};
    memcpy(b->R, R, size4(n) * sizeof(double));
    for (int k = 0; k < n; k++) v.m[k] = (uint32_t)h[k];
    put_vector(m, a, &v, b);
    return QM_OK;
}

/* Stores a fresh tableau's qubits in the form asked for: exact where `exact` or where a profile's
 * noise can't be sampled on a tableau. Frees t where it fails. */
static int place_tableau(qm_t *m, arena_t *a, int64_t now_ps, big_t *t, const int *profiles,
                         int exact, qm_handle *h) {
    if (!t) return QM_ENOMEM;
    int n = t->n;
    for (int k = 0; k < n && !exact; k++)
        if (profile_ok(m, profiles[k]) && !m->profiles[profiles[k]].mixture) exact = 1;
    int code = exact && n > MAX_VECTOR ? QM_EPURE : take_slots(m, a, now_ps, n, profiles, h);
    if (code) {
        free(t);
        return code;
    }
    for (int k = 0; k < n; k++) t->m[k] = (uint32_t)h[k];
    put_big(m, a, t);
    return exact ? make_exact(m, a, t->m[0]) : QM_OK;
}

/* (|0...0> + |1...1>) / sqrt 2: generators X...X and Z_0 Z_k, which need hardly be reduced once a
 * qubit has been measured. */
static int qm_create_ghz(qm_t *m, arena_t *a, int64_t now_ps, int n, const int *profiles, int exact,
                         qm_handle *h) {
    if (n < 2 || n > MAX_TABLEAU) return QM_EARG;
    big_t *t = big_tableau(n);
    for (int q = 0; t && q < n; q++) {
        flip_bit(row_x(t, 0), q, 1);
        if (q) flip_bit(row_z(t, q), 0, 1);
        if (q) flip_bit(row_z(t, q), q, 1);
    }
    return place_tableau(m, a, now_ps, t, profiles, exact, h);
}

/* CZ along every edge on |+>^n: generators X_v Z_neighbours. A repeated edge undoes itself. */
static int qm_create_graph(qm_t *m, arena_t *a, int64_t now_ps, int n, int n_edges,
                           const int *edges, const int *profiles, int exact, qm_handle *h) {
    if (n < 1 || n > MAX_TABLEAU) return QM_EARG;
    for (int e = 0; e < 2 * n_edges; e += 2)
        if (edges[e] < 0 || edges[e] >= n || edges[e + 1] < 0 || edges[e + 1] >= n ||
            edges[e] == edges[e + 1])
            return QM_EARG;
    big_t *t = big_tableau(n);
    for (int q = 0; t && q < n; q++) flip_bit(row_x(t, q), q, 1);
    for (int e = 0; t && e < 2 * n_edges; e += 2) {
        flip_bit(row_z(t, edges[e]), edges[e + 1], 1);
        flip_bit(row_z(t, edges[e + 1]), edges[e], 1);
    }
    int code = place_tableau(m, a, now_ps, t, profiles, exact, h);
    if (code) return code;
    t = tableau_of(m, (uint32_t)h[0]);
    return t ? split_tableau(m, a, block_of(m, (uint32_t)h[0])) : QM_OK;
}

#endif
