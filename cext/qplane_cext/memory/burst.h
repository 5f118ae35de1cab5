/* Verbs over arrays. A burst is checked as a whole before anything changes, then runs in order
 * with an arena of its own, so that threads with disjoint handles never wait for each other.
 */
#ifndef QPLANE_MEMORY_BURST_H
#define QPLANE_MEMORY_BURST_H

#include "qplane_cext/memory/create.h"
#include "qplane_cext/memory/distil.h"
#include "qplane_cext/memory/peek.h"

#define AHEAD 24 /* records are asked for this many elements before they are used */

typedef struct { /* one operand: n handles, and the times at which they are used */
    const qm_handle *h;
    const int64_t *now_ps;
    int64_t now_step; /* 0: one time for all */
} operand_t;

static inline int64_t time_at(const operand_t *o, int64_t i) { return o->now_ps[o->now_step * i]; }

static inline void ask_for(const qm_t *m, const operand_t *o, int64_t i, int64_t n) {
    if (i + AHEAD < n) {
        uint32_t q = (uint32_t)o->h[i + AHEAD], rec = q >> 1;
        if (rec > m->capacity) return;
        __builtin_prefetch(&m->records[rec], 1);
        __builtin_prefetch(&m->marks[q], 1);
    }
}

/* Blocks of open records are one step further away. */
static inline void ask_for_block(const qm_t *m, const operand_t *o, int64_t i, int64_t n) {
    if (i + AHEAD / 2 >= n) return;
    uint32_t q = (uint32_t)o->h[i + AHEAD / 2], id;
    if (!(q >> 1) || q >> 1 > m->capacity || !(id = block_of(m, q))) return;
    uint32_t k = BLK_INDEX(id);
    if (BLK_KIND(id) == BLK_PAIR) {
        __builtin_prefetch(&m->pairs[k], 1);
        __builtin_prefetch(&m->pairs[k].r[8], 1);
        __builtin_prefetch(&m->pairs[k].r[14], 1);
    } else if (BLK_KIND(id) != BLK_BIG)
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

/* ---- pairs of one state: everything but the clock is worked out once ---- */

static int burst_create_pairs(qm_t *m, arena_t *a, int64_t n, const int64_t *now_ps,
                              int64_t now_step, const double *R, int64_t r_step, int pa, int pb,
                              qm_handle *ha, qm_handle *hb) {
    int bell = !m->exact_only && m->profiles[pa].pauli && m->profiles[pb].pauli && !r_step &&
               is_bell_diagonal(R);
    double v[3] = {R[5], R[10], R[15]};
    record_t like = {{0}};
    rec_set_compact(&like, (uint32_t)pa, (uint32_t)pb, 0, v);
    int64_t i = 0;
    int code = QM_OK;
    for (; i < n && !code; i++) {
        int64_t now = now_ps[now_step * i];
        uint32_t rec;
        if (!bell || !rec_fits_compact((uint32_t)pa, (uint32_t)pb, now)) {
            code = place_pair(m, a, now, R + r_step * i, pa, pb, &ha[i], &hb[i]);
            continue;
        }
        if (!(rec = new_record(m, a))) {
            code = QM_EFULL;
            continue;
        }
        uint64_t c = (uint64_t)now, *w = m->records[rec].w, generation = (uint32_t)w[0];
        w[0] = generation | like.w[0] | c >> 48 << 56;
        for (int j = 0; j < 3; j++) w[1 + j] = like.w[1 + j] | (c >> (16 * j) & 0xffff);
        ha[i] = generation << 32 | 2 * rec;
        hb[i] = ha[i] + 1;
        a->live += 2;
    }
    for (i--; code && i--;) { /* none of them */
        qm_free(m, a, ha[i], NULL);
        qm_free(m, a, hb[i], NULL);
    }
    return code;
}

/* ---- swap and measurement, in chunks whose exponentials are taken together ---- */

#define CHUNK 64

/* Fair bits, 64 to a draw. */
typedef struct {
    uint64_t bits;
    int left;
} coins_t;

static inline int toss(coins_t *c, int n, bitgen_t *rng) {
    if (c->left < n) {
        c->bits = rng->next_uint64(rng->state);
        c->left = 64;
    }
    int got = (int)(c->bits & ((1u << n) - 1));
    c->bits >>= n;
    c->left -= n;
    return got;
}

/* <XX>, <YY>, <ZZ> of a Bell-diagonal pair, where it is one; block 0: a compact record. */
static inline int load_bell(const qm_t *m, uint32_t q, double *v, uint32_t *partner,
                            uint32_t *small) {
    const record_t *r = &m->records[q >> 1];
    if (rec_kind(r) == REC_COMPACT) {
        rec_compact_state(r, v);
        *partner = q ^ 1;
        *small = 0;
        return 1;
    }
    uint32_t id = rec_block(r, q & 1);
    if (BLK_KIND(id) != BLK_BELL) return 0;
    const small_t *b = &m->smalls[*small = BLK_INDEX(id)];
    memcpy(v, b->v, sizeof b->v);
    *partner = b->m[0] ^ b->m[1] ^ q;
    return 1;
}

/* Puts `id` as the block of a qubit whose record may still be compact. */
static inline void settle(qm_t *m, uint32_t q, uint32_t id) {
    record_t *r = &m->records[q >> 1];
    if (rec_kind(r) == REC_COMPACT) open_record(r);
    rec_set_block(r, q & 1, id);
}

static inline uint32_t pair_block(const qm_t *m, uint32_t q) { /* 0: another form */
    uint32_t id = block_of(m, q);
    return BLK_KIND(id) == BLK_PAIR ? BLK_INDEX(id) : 0;
}

/* out[i] = R[j][i] as the pair's qubit q has it first; row 0 of `out` is <I x s_i>. */
static inline uint32_t load_rows(const pair_t *b, uint32_t q, double out[4][4]) {
    const double *r = b->r; /* R[0] = 1 is not stored, R[k] is r[k - 1] */
    int first = b->m[0] == q, row = first ? 4 : 1, column = first ? 1 : 4;
    out[0][0] = 1;
    for (int i = 1; i < 4; i++) {
        out[0][i] = r[column * i - 1];
        out[i][0] = r[row * i - 1];
        for (int j = 1; j < 4; j++) out[j][i] = r[row * j + column * i - 1];
    }
    return b->m[0] ^ b->m[1] ^ q;
}

/* Swap of two pairs held as matrices; ex: product of both halves' decay of X and Y; ez: of Z. */
static void swap_matrices(qm_t *m, arena_t *a, uint32_t l, uint32_t r, const gate_noise_t *g,
                          double ex, const double *ez, bitgen_t *rng, int8_t *outcome) {
    uint32_t bl = pair_block(m, l), br = pair_block(m, r);
    pair_t *b = &m->pairs[bl];
    double A[4][4], B[4][4], pp[4], w[4], R[16], u = draw(rng);
    uint32_t pl = load_rows(b, l, A), pr = load_rows(&m->pairs[br], r, B);
    double sl = (1 - ez[0]) * profile_of(m, l)->z_eq, sr = (1 - ez[1]) * profile_of(m, r)->z_eq;
    for (int i = 0; i < 4; i++) {
        A[1][i] *= ex;
        A[2][i] *= ex;
        A[3][i] = ez[0] * A[3][i] + sl * A[0][i];
        B[3][i] = ez[1] * B[3][i] + sr * B[0][i];
    }
    for (int j = 0; j < 4; j++) pp[j] = A[j][0] * B[j][0];
    int k = pick_bell(g, pp, &u);
    bell_weights(g, k, w);
    double norm = 1 / (1 + w[1] * pp[1] + w[2] * pp[2] + w[3] * pp[3]);
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 4; i++) A[j][i] *= w[j] * norm;
    for (int i = 0; i < 4; i++)
        for (int n = 0; n < 4; n++)
            R[4 * i + n] =
                A[0][i] * B[0][n] + A[1][i] * B[1][n] + A[2][i] * B[2][n] + A[3][i] * B[3][n];
    *outcome = (int8_t)(g->readout_error > 0 ? misread(k, g->readout_error, &u) : k);
    b->m[0] = pl;
    b->m[1] = pr;
    memcpy(b->r, R + 1, sizeof b->r);
    free_pair(m, a, br);
    set_block(m, pl, BLK_ID(BLK_PAIR, bl));
    set_block(m, pr, BLK_ID(BLK_PAIR, bl));
    kill_qubit(m, a, l);
    kill_qubit(m, a, r);
}

/* Measures half of a pair held as a matrix; the partner is left alone with its Bloch vector. */
static int measure_matrix(qm_t *m, arena_t *a, uint32_t q, const double *axis, double ex, double ez,
                          double *u) {
    uint32_t id = pair_block(m, q), small = new_small(m, a);
    double A[4][4];
    uint32_t p = load_rows(&m->pairs[id], q, A);
    double x = axis[0] * ex, y = axis[1] * ex, z = axis[2] * ez;
    double shift = axis[2] * (1 - ez) * profile_of(m, q)->z_eq;
    double mean = x * A[1][0] + y * A[2][0] + z * A[3][0] + shift;
    int bit = *u >= (1 + mean) / 2;
    double s = 1 - 2 * bit, chance = (1 + s * mean) / 2, norm = 0.5 / chance;
    *u = bit ? (*u - (1 - chance)) / chance : *u / chance;
    small_t *one = &m->smalls[small];
    one->m[0] = p;
    one->m[1] = 0;
    for (int j = 0; j < 3; j++)
        one->v[j] = norm * ((1 + s * shift) * A[0][1 + j] +
                            s * (x * A[1][1 + j] + y * A[2][1 + j] + z * A[3][1 + j]));
    free_pair(m, a, id);
    set_block(m, p, BLK_ID(BLK_ONE, small));
    return bit;
}

static int burst_swap(qm_t *m, arena_t *a, int64_t n, const operand_t *o, const gate_noise_t *g,
                      bitgen_t *rng, int8_t *outcomes) {
    coins_t coins = {0, 0};
    double weights[4][4];
    for (int k = 0; k < 4; k++) bell_weights(g, k, weights[k]);
    for (int64_t base = 0; base < n; base += CHUNK) {
        int count = n - base < CHUNK ? (int)(n - base) : CHUNK, relaxes = 0;
        double ex[CHUNK], ez[2 * CHUNK]; /* of both X and Y factors together; of each Z factor */
        for (int i = 0; i < count; i++) { /* clocks and profiles do not change in a burst */
            ex[i] = 0;
            for (int side = 0; side < 2; side++) {
                uint32_t q = (uint32_t)o[side].h[base + i];
                const profile_t *p = profile_of(m, q);
                double dt = (double)(time_at(&o[side], base + i) - clock_of(m, q));
                ex[i] += dt * p->rate2;
                ez[2 * i + side] = dt * p->rate1;
                relaxes |= p->rate1 != 0;
                ask_for_block(m, &o[side], base + i, n);
            }
        }
        exp_minus(ex, count);
        if (relaxes)
            exp_minus(ez, 2 * count);
        else
            for (int i = 0; i < 2 * count; i++) ez[i] = 1;
        for (int i = 0; i < count; i++) {
            uint32_t l = (uint32_t)o[0].h[base + i], r = (uint32_t)o[1].h[base + i];
            uint32_t pl, pr, sl, sr;
            double A[3], B[3];
            int k, outcome;
            if (!load_bell(m, l, A, &pl, &sl) || !load_bell(m, r, B, &pr, &sr) || pl == r) {
                if (pair_block(m, l) && pair_block(m, r) && pair_block(m, l) != pair_block(m, r)) {
                    swap_matrices(m, a, l, r, g, ex[i], &ez[2 * i], rng, &outcomes[base + i]);
                    continue;
                }
                int code = qm_bell(m, a, time_at(&o[0], base + i), o[0].h[base + i],
                                   o[1].h[base + i], g, rng, &outcome, &k);
                if (code) return code;
                outcomes[base + i] = (int8_t)outcome;
                continue;
            }
            if (g->readout_error > 0) {
                double u = 4 * draw(rng);
                k = (int)u;
                u -= k;
                outcomes[base + i] = (int8_t)misread(k, g->readout_error, &u);
            } else {
                outcomes[base + i] = (int8_t)(k = toss(&coins, 2, rng));
            }
            const double *w = weights[k];
            double z = ez[2 * i] * ez[2 * i + 1];
            if (sl && sr) free_small(m, a, sr);
            uint32_t small = sl ? sl : sr ? sr : new_small(m, a), id = BLK_ID(BLK_BELL, small);
            small_t *b = &m->smalls[small];
            b->m[0] = pl;
            b->m[1] = pr;
            b->v[0] = w[1] * A[0] * B[0] * ex[i];
            b->v[1] = w[2] * A[1] * B[1] * ex[i];
            b->v[2] = w[3] * A[2] * B[2] * z;
            settle(m, pl, id);
            settle(m, pr, id);
            kill_qubit(m, a, l);
            kill_qubit(m, a, r);
        }
    }
    return QM_OK;
}

static int burst_measure(qm_t *m, arena_t *a, int64_t n, const operand_t *o, const double *axis,
                         double readout_error, bitgen_t *rng, int8_t *bits) {
    coins_t coins = {0, 0};
    for (int64_t base = 0; base < n; base += CHUNK) {
        int count = n - base < CHUNK ? (int)(n - base) : CHUNK, relaxes = 0;
        double ex[CHUNK], ez[CHUNK];
        for (int i = 0; i < count; i++) {
            uint32_t q = (uint32_t)o->h[base + i];
            const profile_t *p = profile_of(m, q);
            double dt = (double)(time_at(o, base + i) - clock_of(m, q));
            ex[i] = dt * p->rate2;
            ez[i] = dt * p->rate1;
            relaxes |= p->rate1 != 0;
            ask_for_block(m, o, base + i, n);
        }
        exp_minus(ex, count);
        if (relaxes) exp_minus(ez, count);
        for (int i = 0; i < count; i++) {
            uint32_t q = (uint32_t)o->h[base + i], p, small, id = block_of(m, q);
            double v[3], u = 0, z = relaxes ? ez[i] : 1;
            int bit;
            if (id && BLK_KIND(id) == BLK_ONE) {
                const double *bloch = m->smalls[BLK_INDEX(id)].v;
                double s = relaxes ? (1 - z) * profile_of(m, q)->z_eq : 0;
                double mean = ex[i] * (axis[0] * bloch[0] + axis[1] * bloch[1]) +
                              axis[2] * (z * bloch[2] + s);
                u = draw(rng);
                if (readout_error > 0)
                    bit = !decide((1 + mean) / 2, &u);
                else
                    bit = u >= (1 + mean) / 2; /* no branch on a random bit */
                free_small(m, a, BLK_INDEX(id));
            } else if (load_bell(m, q, v, &p, &small)) {
                if (readout_error > 0) {
                    u = draw(rng);
                    bit = !decide(0.5, &u);
                } else {
                    bit = toss(&coins, 1, rng);
                }
                double s = 1 - 2 * bit;
                if (!small) small = new_small(m, a);
                small_t *b = &m->smalls[small];
                b->m[0] = p;
                b->m[1] = 0;
                b->v[0] = s * axis[0] * v[0] * ex[i];
                b->v[1] = s * axis[1] * v[1] * ex[i];
                b->v[2] = s * axis[2] * v[2] * z;
                settle(m, p, BLK_ID(BLK_ONE, small));
            } else if (pair_block(m, q)) {
                u = draw(rng);
                bit = measure_matrix(m, a, q, axis, ex[i], z, &u);
            } else {
                int code = qm_measure(m, a, time_at(o, base + i), o->h[base + i], axis,
                                      readout_error, rng, &bit);
                if (code) return code;
                bits[base + i] = (int8_t)bit;
                continue;
            }
            if (readout_error > 0) bit ^= decide(readout_error, &u);
            kill_qubit(m, a, q);
            bits[base + i] = (int8_t)bit;
        }
    }
    return QM_OK;
}

/* A pair's two qubits leave the memory together. */
static inline void kill_pair(qm_t *m, arena_t *a, uint32_t q, uint32_t p) {
    record_t *r = &m->records[q >> 1];
    if (rec_kind(r) == REC_COMPACT) {
        if (m->slots) {
            release_slot(m, q);
            release_slot(m, p);
        }
        a->live -= 2;
        free_record(m, a, q >> 1);
        return;
    }
    drop_block(m, a, q);
    kill_qubit(m, a, q);
    kill_qubit(m, a, p);
}

/* Measures both halves of pairs along one axis; operands: the first and the second halves. */
static int burst_measure_pairs(qm_t *m, arena_t *a, int64_t n, const operand_t *o,
                               const double *axis, double readout_error, bitgen_t *rng,
                               int8_t *bits_a, int8_t *bits_b) {
    coins_t coins = {0, 0};
    for (int64_t i = 0; i < n; i++)
        if (partner_of(m, (uint32_t)o[0].h[i]) != (uint32_t)o[1].h[i]) return QM_EARG;
    for (int64_t base = 0; base < n; base += CHUNK) {
        int count = n - base < CHUNK ? (int)(n - base) : CHUNK, relaxes = 0;
        double ex[2 * CHUNK], ez[2 * CHUNK];
        for (int i = 0; i < count; i++)
            for (int side = 0; side < 2; side++) {
                uint32_t q = (uint32_t)o[side].h[base + i];
                const profile_t *p = profile_of(m, q);
                double dt = (double)(time_at(&o[side], base + i) - clock_of(m, q));
                ex[2 * i + side] = dt * p->rate2;
                ez[2 * i + side] = dt * p->rate1;
                relaxes |= p->rate1 != 0;
            }
        exp_minus(ex, 2 * count);
        if (relaxes)
            exp_minus(ez, 2 * count);
        else
            for (int i = 0; i < 2 * count; i++) ez[i] = 1;
        for (int i = 0; i < count; i++) {
            uint32_t q = (uint32_t)o[0].h[base + i], p = (uint32_t)o[1].h[base + i], small;
            const double *x = &ex[2 * i], *z = &ez[2 * i];
            double v[3], u;
            int first, second;
            if (load_bell(m, q, v, &p, &small)) {
                double same = axis[0] * axis[0] * v[0] * x[0] * x[1] +
                              axis[1] * axis[1] * v[1] * x[0] * x[1] +
                              axis[2] * axis[2] * v[2] * z[0] * z[1];
                u = draw(rng);
                first = toss(&coins, 1, rng);
                if (readout_error > 0)
                    second = first ^ !decide((1 + same) / 2, &u);
                else
                    second = first ^ (u >= (1 + same) / 2);
            } else { /* weights of I, X, Y, Z at each end after ageing */
                double A[4][4], w[2][4], mean[2] = {0, 0}, both = 0, chance[4];
                uint32_t end[2] = {q, load_rows(&m->pairs[pair_block(m, q)], q, A)};
                for (int e = 0; e < 2; e++) {
                    w[e][0] = axis[2] * (1 - z[e]) * profile_of(m, end[e])->z_eq;
                    w[e][1] = axis[0] * x[e];
                    w[e][2] = axis[1] * x[e];
                    w[e][3] = axis[2] * z[e];
                }
                for (int j = 0; j < 4; j++) {
                    mean[0] += w[0][j] * A[j][0];
                    mean[1] += w[1][j] * A[0][j];
                    for (int k = 0; k < 4; k++) both += w[0][j] * w[1][k] * A[j][k];
                }
                for (int k = 0; k < 4; k++) {
                    double sa = k & 2 ? -1 : 1, sb = k & 1 ? -1 : 1;
                    chance[k] = (1 + sa * mean[0] + sb * mean[1] + sa * sb * both) / 4;
                    if (!(chance[k] > 0)) chance[k] = 0;
                }
                u = draw(rng);
                int k = pick4(chance, &u);
                first = k >> 1;
                second = k & 1;
            }
            if (readout_error > 0) {
                first ^= decide(readout_error, &u);
                second ^= decide(readout_error, &u);
            }
            kill_pair(m, a, q, p);
            bits_a[base + i] = (int8_t)first;
            bits_b[base + i] = (int8_t)second;
        }
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
