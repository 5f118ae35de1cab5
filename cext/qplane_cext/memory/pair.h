/* Pairs and single qubits: load, store, and the verbs that need no more than two qubits.
 *
 * A pair is R[4 i + j] = <s_i x s_j>, s = I, X, Y, Z. Bell index k = 2 x + z: Phi+ 00, Phi- 01,
 * Psi+ 10, Psi- 11; x (bit 1) is the sign of ZZ, z (bit 0) the sign of XX.
 */
#ifndef QPLANE_MEMORY_PAIR_H
#define QPLANE_MEMORY_PAIR_H

#include <numpy/random/bitgen.h>

#include "qplane_cext/memory/noise.h"

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

/* Reads the pair that q is half of; the partner must be known (not 0). */
static inline void load_pair(const qm_t *m, uint32_t q, uint32_t partner, view_t *out) {
    const record_t *r = &m->records[q >> 1];
    out->q = q;
    out->partner = partner;
    out->bell = 1;
    if (rec_kind(r) == REC_COMPACT) {
        rec_compact_state(r, out->v);
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

static inline void view_to_matrix(view_t *p) {
    if (!p->bell) return;
    p->bell = 0;
    bell_to_matrix(p->v, p->R);
}

/* Frees the block of a one- or two-qubit state, or opens the compact record that holds it. */
static inline void drop_block(qm_t *m, arena_t *a, uint32_t q) {
    record_t *r = &m->records[q >> 1];
    if (rec_kind(r) == REC_COMPACT) {
        open_record(r);
        return;
    }
    uint32_t id = rec_block(r, q & 1);
    if (BLK_KIND(id) == BLK_PAIR)
        free_pair(m, a, BLK_INDEX(id));
    else
        free_small(m, a, BLK_INDEX(id));
}

/* Stores a pair state for two qubits whose records are open; their old blocks are gone already. */
static inline void put_bell(qm_t *m, arena_t *a, uint32_t q0, uint32_t q1, const double *v) {
    uint32_t i = new_small(m, a), id = BLK_ID(BLK_BELL, i);
    small_t *b = &m->smalls[i];
    b->m[0] = q0;
    b->m[1] = q1;
    memcpy(b->v, v, sizeof b->v);
    set_block(m, q0, id);
    set_block(m, q1, id);
}

static inline void put_pair(qm_t *m, arena_t *a, uint32_t q0, uint32_t q1, const double *R) {
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

/* ---- verbs ---- */

/* A fresh pair from three correlations (diagonal) or sixteen; both clocks start at now. */
static int qm_create_pair(qm_t *m, arena_t *a, int64_t now_ps, const double *R, int pa, int pb,
                          qm_handle *ha, qm_handle *hb) {
    if (pa < 0 || pb < 0 || pa >= (int)m->n_profiles || pb >= (int)m->n_profiles) return QM_EARG;
    if (memcmp(R, m->checked, sizeof m->checked)) {
        if (R[0] != 1 || !is_pair_state(R)) return QM_EARG;
        memcpy(m->checked, R, sizeof m->checked);
    }
    uint32_t i = new_record(m, a);
    if (!i) return QM_EFULL;
    record_t *r = &m->records[i];
    double v[3] = {R[5], R[10], R[15]};
    int bell = !m->exact_only && m->profiles[pa].pauli && m->profiles[pb].pauli &&
               is_bell_diagonal(R);
    if (bell && rec_fits_compact((uint32_t)pa, (uint32_t)pb, now_ps)) {
        rec_set_compact(r, (uint32_t)pa, (uint32_t)pb, now_ps, v);
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

/* Ages the first qubit of a view. */
static inline void view_age(const qm_t *m, view_t *p, int64_t now_ps) {
    affine_t c = ageing(profile_of(m, p->q), now_ps - clock_of(m, p->q));
    if (p->bell) {
        p->v[0] *= c.x;
        p->v[1] *= c.y;
        p->v[2] *= c.z;
    } else {
        affine_rows(p->R, c);
    }
}

/* Bell measurement of l (control) and r by CNOT, H on the control, read-out of both in Z, on
 * halves of two different pairs. Effective factors on XX, YY, ZZ: the depolarising gates. */
static int qm_swap(qm_t *m, arena_t *a, int64_t now_ps, qm_handle left, qm_handle right,
                   const gate_noise_t *g, bitgen_t *rng, int *outcome, int *actual) {
    uint32_t l = slot_of(m, left), r = slot_of(m, right), pl, pr;
    if (!l || !r) return QM_ESTALE;
    if (!gate_noise_ok(g) || l == r) return QM_EARG;
    if (now_ps < clock_of(m, l) || now_ps < clock_of(m, r)) return QM_ETIME;
    pl = partner_of(m, l);
    pr = partner_of(m, r);
    if (!pl || !pr || pl == r) return QM_EARG;
    view_t A, B;
    load_pair(m, l, pl, &A);
    load_pair(m, r, pr, &B);
    view_age(m, &A, now_ps);
    view_age(m, &B, now_ps);
    double gz = 1 - g->two_qubit_error, gx = gz * (1 - g->one_qubit_error);
    double factor[3] = {gx, gx, gz};
    double u = draw(rng), R[16], v[3];
    int k, bell = A.bell && B.bell;
    if (bell) {
        static const double quarter[4] = {0.25, 0.25, 0.25, 0.25};
        k = pick4(quarter, &u);
        for (int j = 0; j < 3; j++) v[j] = BELL_SIGN[k][j] * factor[j] * A.v[j] * B.v[j];
    } else {
        double p[4], w[3];
        view_to_matrix(&A);
        view_to_matrix(&B);
        for (k = 0; k < 4; k++) {
            p[k] = 1;
            for (int j = 1; j < 4; j++)
                p[k] += BELL_SIGN[k][j - 1] * factor[j - 1] * A.R[4 * j] * B.R[4 * j];
            p[k] = p[k] > 0 ? p[k] / 4 : 0;
        }
        k = pick4(p, &u);
        for (int j = 0; j < 3; j++) w[j] = BELL_SIGN[k][j] * factor[j];
        for (int i = 0; i < 4; i++)
            for (int n = 0; n < 4; n++) {
                double sum = A.R[i] * B.R[n];
                for (int j = 1; j < 4; j++) sum += w[j - 1] * A.R[4 * j + i] * B.R[4 * j + n];
                R[4 * i + n] = sum;
            }
        double norm = 1 / R[0];
        for (int i = 0; i < 16; i++) R[i] *= norm;
        R[0] = 1;
    }
    *actual = k;
    k ^= decide(g->readout_error, &u) << 0;
    k ^= decide(g->readout_error, &u) << 1;
    *outcome = k;
    drop_block(m, a, l);
    drop_block(m, a, r);
    if (bell)
        put_bell(m, a, pl, pr, v);
    else
        put_pair(m, a, pl, pr, R);
    kill_qubit(m, a, l);
    kill_qubit(m, a, r);
    return QM_OK;
}

/* Measurement along a unit Bloch vector; bit 0 is the +1 eigenstate. The qubit is freed. */
static int qm_measure(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, const double *axis,
                      double readout_error, bitgen_t *rng, int *bit) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    double length = axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2];
    if (!is_probability(readout_error) || !(fabs(length - 1) <= 1e-9)) return QM_EARG;
    if (now_ps < clock_of(m, q)) return QM_ETIME;
    double u = draw(rng), mean, other[3];
    uint32_t p = partner_of(m, q);
    int b;
    if (p) {
        view_t A;
        load_pair(m, q, p, &A);
        view_age(m, &A, now_ps);
        if (A.bell) {
            b = !decide(0.5, &u);
            for (int j = 0; j < 3; j++) other[j] = (b ? -1 : 1) * axis[j] * A.v[j];
        } else {
            mean = axis[0] * A.R[4] + axis[1] * A.R[8] + axis[2] * A.R[12];
            b = !decide((1 + mean) / 2, &u);
            double s = b ? -1 : 1, norm = 1 / (1 + s * mean);
            for (int j = 0; j < 3; j++) {
                double along = axis[0] * A.R[5 + j] + axis[1] * A.R[9 + j] + axis[2] * A.R[13 + j];
                other[j] = (A.R[1 + j] + s * along) * norm;
            }
        }
        drop_block(m, a, q);
        put_one(m, a, p, other);
    } else {
        small_t *one = &m->smalls[BLK_INDEX(rec_block(&m->records[q >> 1], q & 1))];
        affine_t c = ageing(profile_of(m, q), now_ps - clock_of(m, q));
        mean = axis[0] * c.x * one->v[0] + axis[1] * c.y * one->v[1] +
               axis[2] * (c.z * one->v[2] + c.s);
        b = !decide((1 + mean) / 2, &u);
        drop_block(m, a, q);
    }
    kill_qubit(m, a, q);
    *bit = b ^ decide(readout_error, &u);
    return QM_OK;
}

/* Discards a qubit; its partner keeps what it knows alone. */
static int qm_free(qm_t *m, arena_t *a, qm_handle h) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    uint32_t p = partner_of(m, q);
    if (p) {
        view_t A;
        double other[3] = {0, 0, 0};
        load_pair(m, q, p, &A);
        if (!A.bell) memcpy(other, A.R + 1, sizeof other);
        drop_block(m, a, q);
        put_one(m, a, p, other);
    } else {
        drop_block(m, a, q);
    }
    kill_qubit(m, a, q);
    return QM_OK;
}

/* A Pauli gate X^x Z^z (bit 1: x, bit 0: z), then depolarising of probability gate_error. */
static int qm_pauli(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, int xz, double gate_error) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (xz < 0 || xz > 3 || !is_probability(gate_error)) return QM_EARG;
    if (now_ps < clock_of(m, q)) return QM_ETIME;
    double keep = 1 - gate_error, sx = xz & 1 ? -keep : keep, sz = xz & 2 ? -keep : keep;
    double sy = (xz & 1) ^ (xz >> 1) ? -keep : keep;
    uint32_t p = partner_of(m, q);
    affine_t gate = {sx, sy, sz, 0};
    if (!p) {
        small_t *one = &m->smalls[BLK_INDEX(rec_block(&m->records[q >> 1], q & 1))];
        affine_t c = ageing(profile_of(m, q), now_ps - clock_of(m, q));
        one->v[0] *= c.x * sx;
        one->v[1] *= c.y * sy;
        one->v[2] = (c.z * one->v[2] + c.s) * sz;
        set_clock(m, q, now_ps);
        return QM_OK;
    }
    view_t A;
    load_pair(m, q, p, &A);
    view_age(m, &A, now_ps);
    drop_block(m, a, q);
    if (A.bell) {
        A.v[0] *= sx;
        A.v[1] *= sy;
        A.v[2] *= sz;
        put_bell(m, a, q, p, A.v);
    } else {
        affine_rows(A.R, gate);
        put_pair(m, a, q, p, A.R);
    }
    set_clock(m, q, now_ps);
    return QM_OK;
}

/* Fidelity to a Bell state with each half aged to a time of its own; changes nothing. */
static int qm_peek_fidelity(const qm_t *m, qm_handle ha, int64_t ta_ps, qm_handle hb,
                            int64_t tb_ps, int bell, double *f) {
    uint32_t qa = slot_of(m, ha), qb = slot_of(m, hb);
    if (!qa || !qb) return QM_ESTALE;
    if (bell < 0 || bell > 3 || qa == qb || partner_of(m, qa) != qb) return QM_EARG;
    if (ta_ps < clock_of(m, qa) || tb_ps < clock_of(m, qb)) return QM_ETIME;
    view_t A;
    load_pair(m, qa, qb, &A);
    view_age(m, &A, ta_ps);
    view_to_matrix(&A);
    affine_columns(A.R, ageing(profile_of(m, qb), tb_ps - clock_of(m, qb)));
    *f = (1 + BELL_SIGN[bell][0] * A.R[5] + BELL_SIGN[bell][1] * A.R[10] +
          BELL_SIGN[bell][2] * A.R[15]) / 4;
    return QM_OK;
}

#endif
