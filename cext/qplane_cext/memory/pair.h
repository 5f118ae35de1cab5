/* Pairs and single qubits: load, store, and the verbs that need no more than two qubits.
 *
 * A pair is R[4 i + j] = <s_i x s_j>, s = I, X, Y, Z. Bell index k = 2 x + z: Phi+ 00, Phi- 01,
 * Psi+ 10, Psi- 11; x (bit 1) is the sign of ZZ, z (bit 0) the sign of XX.
 */
#ifndef QPLANE_MEMORY_PAIR_H
#define QPLANE_MEMORY_PAIR_H

#include "qplane_cext/memory/tableau.h"

/* Signs of <XX>, <YY>, <ZZ> in the four Bell states. */
static const double BELL_SIGN[4][3] = {{1, -1, 1}, {-1, 1, 1}, {1, 1, -1}, {-1, -1, -1}};

/* A pair as one of its qubits sees it: that qubit first. */
typedef struct {
    uint32_t q, partner;
    int bell; /* only v is set: <XX>, <YY>, <ZZ> */
    double v[3];
    double R[16];
} view_t;

static inline double draw(bitgen_t *rng) { return rng->next_double(rng->state); }

/* Whether an event of probability p happens; what is left of *u is uniform again, so that one
 * draw decides several independent things (a double holds 53 bits, an operation needs few). */
static inline int decide(double p, double *u) {
    if (*u < p) {
        *u /= p;
        return 1;
    }
    *u = p < 1 ? (*u - p) / (1 - p) : 0;
    return 0;
}

/* The index of the first of four exclusive events that sum to 1, *u as above. */
static inline int pick4(const double *p, double *u) {
    double rest = *u;
    for (int k = 0; k < 3; k++) {
        if (rest < p[k]) {
            *u = rest / p[k];
            return k;
        }
        rest -= p[k];
    }
    *u = p[3] > rest ? rest / p[3] : 0;
    return 3;
}

/* ---- load and store ---- */

static inline uint32_t partner_of(const qm_t *m, uint32_t q) { /* 0: not half of a pair */
    const record_t *r = &m->records[q >> 1];
    if (rec_kind(r) == REC_COMPACT) return q ^ 1;
    if (rec_kind(r) == REC_SPLIT) return (uint32_t)r->w[3];
    uint32_t id = rec_block(r, q & 1), i = BLK_INDEX(id);
    if (BLK_KIND(id) == BLK_BELL) return m->smalls[i].m[0] ^ m->smalls[i].m[1] ^ q;
    if (BLK_KIND(id) == BLK_PAIR) return m->pairs[i].m[0] ^ m->pairs[i].m[1] ^ q;
    return 0;
}

static inline void transpose4(double *R) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++) {
            double t = R[4 * i + j];
            R[4 * i + j] = R[4 * j + i];
            R[4 * j + i] = t;
        }
}

static inline void bell_to_matrix(const double *v, double *R) {
    memset(R, 0, 16 * sizeof *R);
    R[0] = 1;
    R[5] = v[0];
    R[10] = v[1];
    R[15] = v[2];
}

static inline void rest_to_matrix(const rest_t *rest, const double *v, double *R) {
    R[0] = 1;
    for (int k = 0; k < 3; k++) {
        memcpy(R + 5 * k + 1, rest->r[k], sizeof rest->r[k]);
        R[5 * k + 5] = v[k];
    }
}

/* Reads the pair that q is half of; the partner must be known (not 0). */
static inline void load_pair(const qm_t *m, uint32_t q, uint32_t partner, view_t *out) {
    const record_t *r = &m->records[q >> 1];
    out->q = q;
    out->partner = partner;
    out->bell = 1;
    if (rec_kind(r) != REC_OPEN) {
        if (rec_kind(r) == REC_COMPACT)
            rec_compact_state(r, out->v);
        else
            rec_split_state(r, &m->records[partner >> 1], out->v);
        if (!(r->w[0] & REST)) return;
        out->bell = 0;
        rest_to_matrix(rest_of(m, q), out->v, out->R);
        if (!first_in_rest(r, q)) transpose4(out->R);
        return;
    }
    uint32_t id = rec_block(r, q & 1), i = BLK_INDEX(id);
    if (BLK_KIND(id) == BLK_BELL) {
        memcpy(out->v, m->smalls[i].v, sizeof out->v);
        return;
    }
    out->bell = 0;
    out->R[0] = 1;
    memcpy(out->R + 1, m->pairs[i].r, sizeof m->pairs[i].r);
    if (m->pairs[i].m[0] != q) transpose4(out->R);
}

/* Half of a Bell-diagonal pair held in records, and the pair as that half sees it. */
typedef struct {
    uint32_t q, partner;
    int64_t clock;
    const profile_t *profile;
    double v[3];
} half_t;

/* All that the hot paths need of a handle, read at once; 0 where it is not such a half, or stale. */
static inline int load_half(const qm_t *m, qm_handle h, half_t *out) {
    const uint32_t q = (uint32_t)h, rec = q >> 1;
    const record_t *r = &m->records[rec <= m->capacity ? rec : 0]; /* that one is always free */
    const uint64_t w0 = r->w[0];
    const int kind = rec_kind(r);
    if ((uint32_t)w0 != h >> 32 || w0 & REST) return 0;
    out->q = q;
    if (kind == REC_COMPACT) {
        out->partner = q ^ 1;
        out->clock = rec_compact_clock(r);
        out->profile = &m->profiles[(w0 >> (q & 1 ? 45 : 34)) & 2047u];
        rec_compact_state(r, out->v);
        return 1;
    }
    if (kind != REC_SPLIT || rec_split_half(r) != (int)(q & 1)) return 0;
    out->partner = (uint32_t)r->w[3];
    out->clock = (int64_t)(r->w[1] & ~MARK);
    out->profile = &m->profiles[w0 >> 34 & 32767u];
    rec_split_state(r, &m->records[out->partner >> 1], out->v);
    return 1;
}

/* A Bell-diagonal pair held in records: 0 where it is not. */
static inline int load_record_pair(const qm_t *m, uint32_t q, double *v, uint32_t *partner) {
    const record_t *r = &m->records[q >> 1];
    int kind = rec_kind(r);
    if (r->w[0] & REST && kind != REC_OPEN) return 0;
    if (kind == REC_COMPACT) {
        *partner = q ^ 1;
        rec_compact_state(r, v);
        return 1;
    }
    if (kind != REC_SPLIT) return 0;
    *partner = (uint32_t)r->w[3];
    rec_split_state(r, &m->records[*partner >> 1], v);
    return 1;
}

static inline void view_to_matrix(view_t *p) {
    if (!p->bell) return;
    p->bell = 0;
    bell_to_matrix(p->v, p->R);
}

/* Frees the block of a one- or two-qubit state, or opens the records that hold it. */
static inline void drop_block(qm_t *m, arena_t *a, uint32_t q) {
    record_t *r = &m->records[q >> 1];
    if (rec_kind(r) != REC_OPEN) {
        if (rec_kind(r) == REC_SPLIT) open_record(&m->records[(uint32_t)r->w[3] >> 1]);
        open_record(r);
        return;
    }
    uint32_t id = rec_block(r, q & 1);
    if (BLK_KIND(id) == BLK_PAIR)
        free_pair(m, a, BLK_INDEX(id));
    else
        free_small(m, a, BLK_INDEX(id));
}

/* Makes a pair split over two records where it can be: where each holds no other qubit. */
static inline int put_split(qm_t *m, uint32_t q0, uint32_t q1, const double *v) {
    record_t *r0 = &m->records[q0 >> 1], *r1 = &m->records[q1 >> 1];
    if (rec_block(r0, ~q0 & 1) || rec_block(r1, ~q1 & 1) || r0 == r1) return 0;
    rec_set_split(r0, q0 & 1, 0, q1, v);
    rec_set_split(r1, q1 & 1, 1, q0, v);
    return 1;
}

/* A pair that was stored in records as a Bell-diagonal one gets its rest. q0: half a, or role 0. */
static inline void add_rest(qm_t *m, uint32_t q0, uint32_t q1, const double *R) {
    m->records[q0 >> 1].w[0] |= REST;
    m->records[q1 >> 1].w[0] |= REST;
    for (int k = 0; k < 3; k++)
        memcpy(m->rests[q0 >> 1].r[k], R + 5 * k + 1, sizeof m->rests->r[k]);
}

/* Stores a pair state for two qubits whose records are open; their old blocks are gone already. */
static inline void put_bell(qm_t *m, arena_t *a, uint32_t q0, uint32_t q1, const double *v) {
    if (put_split(m, q0, q1, v)) return;
    uint32_t i = new_small(m, a), id = BLK_ID(BLK_BELL, i);
    small_t *b = &m->smalls[i];
    b->m[0] = q0;
    b->m[1] = q1;
    memcpy(b->v, v, sizeof b->v);
    set_block(m, q0, id);
    set_block(m, q1, id);
}

static inline void put_pair(qm_t *m, arena_t *a, uint32_t q0, uint32_t q1, const double *R) {
    const double v[3] = {R[5], R[10], R[15]};
    if (put_split(m, q0, q1, v)) {
        add_rest(m, q0, q1, R);
        return;
    }
    uint32_t i = new_pair(m, a), id = BLK_ID(BLK_PAIR, i);
    pair_t *b = &m->pairs[i];
    b->m[0] = q0;
    b->m[1] = q1;
    memcpy(b->r, R + 1, sizeof b->r);
    set_block(m, q0, id);
    set_block(m, q1, id);
}

static inline void put_one(qm_t *m, arena_t *a, uint32_t q, const double *bloch) {
    uint32_t i = new_small(m, a);
    small_t *b = &m->smalls[i];
    b->m[0] = q;
    b->m[1] = 0;
    memcpy(b->v, bloch, sizeof b->v);
    set_block(m, q, BLK_ID(BLK_ONE, i));
}

/* ---- is it a state? ---- */

#define STATE_TOLERANCE 1e-9

/* Cholesky decomposition of rho + tolerance: fails where an eigenvalue is below -tolerance. */
static int is_pair_state(const double *R) {
    static const double _Complex SIGMA[4][2][2] = {
        {{1, 0}, {0, 1}}, {{0, 1}, {1, 0}}, {{0, -1i}, {1i, 0}}, {{1, 0}, {0, -1}}};
    double _Complex rho[4][4];
    for (int i = 0; i < 16; i++)
        if (!(fabs(R[i]) <= 1 + STATE_TOLERANCE)) return 0;
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 4; c++) {
            double _Complex sum = 0;
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                    sum += R[4 * i + j] * SIGMA[i][r >> 1][c >> 1] * SIGMA[j][r & 1][c & 1];
            rho[r][c] = sum / 4 + (r == c ? STATE_TOLERANCE : 0);
        }
    for (int k = 0; k < 4; k++) {
        double d = __real__ rho[k][k];
        if (!(d > 0)) return 0;
        for (int r = k + 1; r < 4; r++)
            for (int c = k + 1; c < 4; c++) rho[r][c] -= rho[r][k] * rho[k][c] / d;
    }
    return 1;
}

static int is_bell_diagonal(const double *R) {
    for (int i = 1; i < 16; i++)
        if (i % 5 && R[i] != 0) return 0;
    return 1;
}

#endif
