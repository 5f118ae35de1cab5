/* Verbs over arrays. A burst is checked as a whole before anything changes, then runs in order
 * with an arena of its own, so that threads with disjoint handles never wait for each other.
 */
#ifndef QPLANE_MEMORY_BURST_H
#define QPLANE_MEMORY_BURST_H

#include "qplane_cext/memory/create.h"
#include "qplane_cext/memory/distil.h"
#include "qplane_cext/memory/lanes.h"
#include "qplane_cext/memory/peek.h"

#define AHEAD 24 /* records are asked for this many elements before they are used */

typedef struct { /* one operand: n handles, and the times at which they are used */
    const qm_handle *h;
    const int64_t *now_ps; /* NULL: each at its own clock */
    int64_t now_step;      /* 0: one time for all */
} operand_t;

typedef struct {
    qm_t *m;
    arena_t *arena;
    int64_t n;
    int operands, max_qubits; /* max_qubits > 0: only blocks of one and two qubits will do */
    int pairs;                /* operands 0 and 1 must be the halves of pairs, 2 and 3 too */
    operand_t o[4];
    /* Ageing of element i of operand k, [k n + i]: first the exponents, then exp(-dt/T2) and
     * exp(-dt/T1). z is valid where some profile relaxes. */
    double *xy, *z;
    int relaxes, matrices; /* whether some T1 is finite; whether some pair is not Bell-diagonal */
    /* Where the check failed: element (-1: operands are not halves of pairs) and operand. */
    int64_t at;
    int which;
} burst_t;

static inline int64_t time_at(const operand_t *o, int64_t i) { return o->now_ps[o->now_step * i]; }

/* What lies behind the records of an element further on: a block, or the rest of its pair. */
INLINE void ask_for_block(const qm_t *m, const operand_t *o, int64_t i, int64_t n) {
    if (i + AHEAD >= n) return;
    uint32_t q = (uint32_t)o->h[i + AHEAD], id = block_of(m, q), k = BLK_INDEX(id);
    const char *at = NULL; /* of two cache lines at most */
    if (!id && m->records[q >> 1].w[0] & REST) at = (char *)rest_of(m, q);
    if (id && BLK_KIND(id) == BLK_PAIR) at = (char *)&m->pairs[k];
    if (at) {
        __builtin_prefetch(at, 1);
        __builtin_prefetch(at + 64, 1);
    } else if (id && BLK_KIND(id) != BLK_BIG)
        __builtin_prefetch(&m->smalls[k], 1);
}

/* Whether a qubit of a state of many may be in this burst. */
static int may_be_in(burst_t *b, int k, int64_t i, uint32_t q) {
    const operand_t *o = &b->o[k];
    return !b->max_qubits &&
           may_touch(b->m, q, o->now_ps ? time_at(o, i) : clock_of(b->m, q)) != QM_EPURE;
}

/* One operand: every handle live, not used twice, not before its clock, in a small block if it
 * must be; marks it. Returns the number of elements that are right; *code says what is wrong with
 * the next. `timed`, `pairs`: whether exponents are wanted, and whether it must be the other half
 * of the operand before it. */
INLINE int64_t check_operand(burst_t *b, int k, int *code, const int timed, const int pairs) {
    const qm_handle *const h = b->o[k].h, *const before = pairs ? b->o[k - 1].h : NULL;
    const int64_t *now_ps = b->o[k].now_ps;
    const int64_t now_step = b->o[k].now_step, n = b->n;
    record_t *const records = b->m->records;
    const profile_t *const profiles = b->m->profiles;
    const uint32_t capacity = b->m->capacity;
    double *const xy = timed ? b->xy + k * n : NULL, *const z = timed ? b->z + k * n : NULL;
    double fastest = 0;
    int wrong = QM_OK;
    int64_t i = 0;
    for (; i < n; i++) {
        if (i + AHEAD < n) __builtin_prefetch(&records[(uint32_t)h[i + AHEAD] >> 1], 1);
        uint32_t q = (uint32_t)h[i], profile, partner;
        int64_t clock;
        wrong = QM_ESTALE;
        if ((q >> 1) - 1 >= capacity) break;
        record_t *r = &records[q >> 1];
        uint64_t w0 = r->w[0], *word = r->w, bit = MARK;
        if ((uint32_t)w0 != h[i] >> 32) break;
        int half = q & 1, kind = (int)(w0 >> 32) & 3;
        if (kind == REC_COMPACT) {
            bit = MARK >> 1 << half;
            clock = rec_compact_clock(r);
            profile = (uint32_t)(w0 >> (half ? 45 : 34)) & 2047u;
            partner = q ^ 1;
            b->matrices |= (w0 & REST) != 0;
        } else if (kind == REC_SPLIT) {
            if (rec_split_half(r) != half) break;
            word = &r->w[1];
            clock = (int64_t)(*word & ~MARK);
            profile = (uint32_t)(w0 >> 34) & 32767u;
            partner = (uint32_t)r->w[3];
            b->matrices |= (w0 & REST) != 0;
        } else {
            if (kind == REC_FREE || !rec_block(r, half)) break;
            word = &r->w[1 + half];
            clock = (int64_t)(*word & ~MARK);
            profile = (uint32_t)(w0 >> (half ? 49 : 34)) & 32767u;
            partner = pairs ? partner_of(b->m, q) : 0;
            b->matrices |= BLK_KIND(rec_block(r, half)) == BLK_PAIR;
            wrong = QM_EPURE;
            if (BLK_KIND(rec_block(r, half)) == BLK_BIG &&
                (b->max_qubits || !profiles[profile].mixture) && !may_be_in(b, k, i, q))
                break;
        }
        wrong = QM_EARG;
        if (*word & bit) break;
        if (pairs && partner != (uint32_t)before[i]) {
            b->at = -1;
            break;
        }
        if (now_ps) {
            wrong = QM_ETIME;
            if (*now_ps < clock) break;
            if (timed) {
                double dt = (double)(*now_ps - clock), rate = profiles[profile].rate1;
                xy[i] = dt * profiles[profile].rate2;
                z[i] = dt * rate;
                fastest = rate > fastest ? rate : fastest;
            }
            now_ps += now_step;
        }
        *word |= bit;
    }
    b->relaxes |= fastest > 0;
    *code = wrong;
    return i;
}

static void unmark(burst_t *b, int operands, int64_t last_n) {
    for (int k = 0; k < operands; k++)
        for (int64_t i = 0; i < (k == operands - 1 ? last_n : b->n); i++) {
            uint32_t q = slot_of(b->m, b->o[k].h[i]);
            uint64_t bit, *word = q ? rec_mark(&b->m->records[q >> 1], q & 1, &bit) : NULL;
            if (q) *word &= ~bit;
        }
}

/* Checks all operands and marks them; on an error, no mark is left and `at`, `which` say where. */
static int burst_check(burst_t *b) {
    b->relaxes = b->matrices = 0;
    for (int k = 0; k < b->operands; k++) {
        int code;
        b->at = 0;
        int64_t right;
        if (b->xy)
            right = b->pairs && k & 1 ? check_operand(b, k, &code, 1, 1)
                                      : check_operand(b, k, &code, 1, 0);
        else
            right = b->pairs && k & 1 ? check_operand(b, k, &code, 0, 1)
                                      : check_operand(b, k, &code, 0, 0);
        if (right == b->n) continue;
        if (!b->at) b->at = right;
        b->which = k;
        unmark(b, k + 1, right);
        return code;
    }
    return QM_OK;
}

/* For verbs that do not free their operands. */
static int burst_check_only(burst_t *b) {
    int code = burst_check(b);
    if (!code) unmark(b, b->operands, b->n);
    return code;
}

/* ---- pairs of one state: everything but the clock is worked out once ---- */

/* What create_lanes() makes of pairs in state R; 0 where records do not hold them. */
static int compact_like(const qm_t *m, const double *R, int pa, int pb, record_t *like) {
    const double v[3] = {R[5], R[10], R[15]};
    if (!rec_fits_compact((uint32_t)pa, (uint32_t)pb, 0)) return 0;
    like->w[0] = 0;
    rec_set_compact(like, (uint32_t)pa, (uint32_t)pb, 0, v);
    if (!starts_bell(m, R, pa, pb)) like->w[0] |= REST;
    return 1;
}

/* `like`: see compact_like(), or NULL; `latest`: no time is later, in the number of its bits. */
static int burst_create_pairs(qm_t *m, arena_t *a, int64_t n, const int64_t *now_ps,
                              int64_t now_step, int64_t latest, const record_t *like,
                              const double *R, int64_t r_step, int pa, int pb, qm_handle *ha,
                              qm_handle *hb) {
    const int lanes = like && !(latest >> CLOCK_BITS);
    int64_t i = 0;
    int code = QM_OK;
    rest_t rest;
    for (int k = 0; k < 3; k++) memcpy(rest.r[k], R + 5 * k + 1, sizeof rest.r[k]);
    while (lanes && i < n) {
        if (a != &m->arena && n - i < a->batch) /* none that others could use */
            a->batch = (uint32_t)(n - i);
        int64_t got = create_lanes(m, a, like, like->w[0] & REST ? &rest : NULL,
                                   now_ps + now_step * i, now_step, n - i, ha + i, hb + i);
        if (!got) code = QM_EFULL;
        if (!got) break;
        i += got;
    }
    int bell = n && starts_bell(m, R, pa, pb);
    for (; i < n && !code; i += !code) {
        const double *state = R + r_step * i;
        if (r_step) bell = starts_bell(m, state, pa, pb);
        code = place_pair(m, a, now_ps[now_step * i], state, bell, pa, pb, &ha[i], &hb[i]);
    }
    while (code && i--) { /* none of them */
        qm_free(m, a, ha[i], NULL);
        qm_free(m, a, hb[i], NULL);
    }
    return code;
}

/* ---- swap and measurement: all exponentials are taken together ---- */

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

/* Whether q is half of a pair that is held as a matrix, in a block or as a rest. */
static inline int is_matrix(const qm_t *m, uint32_t q) {
    const record_t *r = &m->records[q >> 1];
    return rec_kind(r) == REC_OPEN ? BLK_KIND(rec_block(r, q & 1)) == BLK_PAIR
                                   : (r->w[0] & REST) != 0;
}

/* pick4() without branches on a random number, where what is left of u is not used. */
static inline int pick4_once(const double *p, double u) {
    double rest1 = u - p[0], rest2 = rest1 - p[1];
    int k1 = u >= p[0], k2 = k1 & (rest1 >= p[1]), k3 = k2 & (rest2 >= p[2]);
    return k1 + k2 + k3;
}

static inline int pick(const double *p, double *u, int once) {
    return once ? pick4_once(p, *u) : pick4(p, u);
}

typedef double row_t __attribute__((vector_size(32)));

/* The matrix of the pair that q is half of, q second where `turned`, and its partner; 0 where the
 * pair is neither in records nor a matrix. */
INLINE uint32_t load_rows(const qm_t *m, uint32_t q, row_t *R, int turned) {
    const record_t *r = &m->records[q >> 1];
    uint32_t partner, id = block_of(m, q);
    if (!id) {
        double v[3];
        row_t s[3] = {{0}};
        int compact = rec_kind(r) == REC_COMPACT;
        partner = compact ? q ^ 1 : (uint32_t)r->w[3];
        if (compact)
            rec_compact_state(r, v);
        else
            rec_split_state(r, &m->records[partner >> 1], v);
        if (r->w[0] & REST) memcpy(s, rest_of(m, q), sizeof s);
        R[0] = (row_t){1, s[0][0], s[0][1], s[0][2]};
        R[1] = (row_t){s[0][3], v[0], s[1][0], s[1][1]};
        R[2] = (row_t){s[1][2], s[1][3], v[1], s[2][0]};
        R[3] = (row_t){s[2][1], s[2][2], s[2][3], v[2]};
        turned ^= !first_in_rest(r, q);
    } else {
        if (BLK_KIND(id) != BLK_PAIR) return 0;
        const pair_t *b = &m->pairs[BLK_INDEX(id)];
        R[0] = (row_t){1, b->r[0], b->r[1], b->r[2]};
        memcpy(&R[1], &b->r[3], 3 * sizeof *R);
        partner = b->m[0] ^ b->m[1] ^ q;
        turned ^= b->m[0] != q;
    }
    if (turned) {
        row_t T[4];
        for (int i = 0; i < 4; i++) T[i] = (row_t){R[0][i], R[1][i], R[2][i], R[3][i]};
        memcpy(R, T, sizeof T);
    }
    return partner;
}

/* Stores what a swap of l and r leaves of their pairs: pl and pr in state R. */
INLINE void store_swapped(qm_t *m, arena_t *a, uint32_t l, uint32_t r, uint32_t pl, uint32_t pr,
                          const row_t *R) {
    const double v[3] = {R[1][1], R[2][2], R[3][3]};
    if (block_of(m, l) || block_of(m, r)) {
        double matrix[16];
        memcpy(matrix, R, sizeof matrix);
        put_swapped(m, a, l, r, pl, pr, v, matrix);
        return;
    }
    if (m->slots) {
        release_slot(m, l);
        release_slot(m, r);
    }
    a->live -= 2;
    leave_records(m, a, l, r, pl, pr, v);
    m->records[pl >> 1].w[0] |= REST;
    m->records[pr >> 1].w[0] |= REST;
    const row_t rest[3] = {{R[0][1], R[0][2], R[0][3], R[1][0]},
                           {R[1][2], R[1][3], R[2][0], R[2][1]},
                           {R[2][3], R[3][0], R[3][1], R[3][2]}};
    memcpy(&m->rests[pl >> 1], rest, sizeof rest);
}

/* Swap of two pairs of which one is a matrix: qm_bell() for this case; 0 where it is another. ex:
 * product of both halves' decay of X and Y; zl, zr: of Z. */
INLINE int swap_matrices(burst_t *b, uint32_t l, uint32_t r, const gate_noise_t *g,
                         const double weights[4][4], double ex, double zl, double zr,
                         bitgen_t *rng, int8_t *outcome) {
    qm_t *m = b->m;
    row_t A[4], B[4], R[4]; /* far halves first in A, second in B */
    uint32_t pl = load_rows(m, l, A, 1), pr = load_rows(m, r, B, 0);
    if (!pl || !pr || pl == r) return 0;
    double p[4], u = draw(rng);
    double sl = zl < 1 ? (1 - zl) * profile_of(m, l)->z_eq : 0;
    double sr = zr < 1 ? (1 - zr) * profile_of(m, r)->z_eq : 0;
    B[1] *= ex;
    B[2] *= ex;
    B[3] = zr * B[3] + sr * B[0];
    for (int i = 0; i < 4; i++) A[i][3] = zl * A[i][3] + sl * A[i][0];
    const double pp[4] = {1, A[0][1] * B[1][0], A[0][2] * B[2][0], A[0][3] * B[3][0]};
    for (int k = 0; k < 4; k++) {
        const double *w = weights[k];
        p[k] = (1 + w[1] * pp[1] + w[2] * pp[2] + w[3] * pp[3]) / 4;
        p[k] = p[k] > 0 ? p[k] : 0;
    }
    int k = pick(p, &u, g->readout_error == 0);
    const double *w = weights[k];
    double norm = 1 / (1 + w[1] * pp[1] + w[2] * pp[2] + w[3] * pp[3]);
    for (int j = 0; j < 4; j++) B[j] *= w[j] * norm;
    for (int i = 0; i < 4; i++)
        R[i] = A[i][0] * B[0] + A[i][1] * B[1] + A[i][2] * B[2] + A[i][3] * B[3];
    *outcome = (int8_t)(g->readout_error > 0 ? misread(k, g->readout_error, &u) : k);
    store_swapped(m, b->arena, l, r, pl, pr, R);
    return 1;
}

/* Any Bell-diagonal pair's correlations; 0 where it is not one. */
static inline int load_bell(const qm_t *m, uint32_t q, view_t *v) {
    if (!is_bell_pair(m, q)) return 0;
    load_pair(m, q, partner_of(m, q), v);
    return 1;
}

/* Outcome of a Bell-diagonal swap, actual and as reported. */
static inline int bell_outcome(const gate_noise_t *g, coins_t *coins, bitgen_t *rng,
                               int8_t *reported) {
    if (g->readout_error == 0) return *reported = (int8_t)toss(coins, 2, rng);
    double u = 4 * draw(rng);
    int k = (int)u;
    u -= k;
    *reported = (int8_t)misread(k, g->readout_error, &u);
    return k;
}

/* A swap of two qubits that are neither in records nor in matrices. */
static int swap_other(burst_t *b, int64_t i, const gate_noise_t *g, const double weights[4][4],
                      double z, coins_t *coins, bitgen_t *rng, int8_t *reported) {
    uint32_t l = (uint32_t)b->o[0].h[i], r = (uint32_t)b->o[1].h[i];
    view_t A, B;
    if (load_bell(b->m, l, &A) && load_bell(b->m, r, &B) && A.partner != r) {
        int k = bell_outcome(g, coins, rng, reported);
        const double *w = weights[k];
        const double v[3] = {w[1] * A.v[0] * B.v[0] * b->xy[i], w[2] * A.v[1] * B.v[1] * b->xy[i],
                             w[3] * A.v[2] * B.v[2] * z};
        put_swapped(b->m, b->arena, l, r, A.partner, B.partner, v, NULL);
        return QM_OK;
    }
    int k, outcome = 0, code = qm_bell(b->m, b->arena, time_at(&b->o[0], i), b->o[0].h[i], b->o[1].h[i],
                                   g, rng, &outcome, &k);
    *reported = (int8_t)outcome;
    return code;
}

WIDE static int swap_checked(burst_t *b, const gate_noise_t *g, bitgen_t *rng, int8_t *outcomes) {
    qm_t *const m = b->m;
    arena_t *const arena = b->arena;
    const qm_handle *const left = b->o[0].h, *const right = b->o[1].h;
    const int64_t n = b->n;
    const int relaxes = b->relaxes, matrices = b->matrices, owned = m->slots != NULL;
    int64_t gone = 0;
    coins_t coins = {0, 0};
    double weights[4][4], *const xy = b->xy, *const z = b->z;
    for (int k = 0; k < 4; k++) bell_weights(g, k, weights[k]);
    for (int64_t i = 0; i < n; i++) xy[i] += xy[n + i]; /* only their product is used */
    exp_minus_all(xy, n);
    if (relaxes) exp_minus_all(z, 2 * n);
    for (int64_t i = 0; i < n; i++) {
        uint32_t l = (uint32_t)left[i], r = (uint32_t)right[i], pl, pr;
        double A[3], B[3], zl = relaxes ? z[i] : 1, zr = relaxes ? z[n + i] : 1;
        if (matrices) {
            ask_for_block(m, &b->o[0], i, n);
            ask_for_block(m, &b->o[1], i, n);
            if ((is_matrix(m, l) || is_matrix(m, r)) &&
                swap_matrices(b, l, r, g, weights, xy[i], zl, zr, rng, &outcomes[i]))
                continue;
        }
        if (!load_record_pair(m, l, A, &pl) || !load_record_pair(m, r, B, &pr) || pl == r) {
            int code = swap_other(b, i, g, weights, zl * zr, &coins, rng, &outcomes[i]);
            if (!code) continue;
            arena->live -= gone;
            return code;
        }
        const double *w = weights[bell_outcome(g, &coins, rng, &outcomes[i])];
        const double v[3] = {w[1] * A[0] * B[0] * xy[i], w[2] * A[1] * B[1] * xy[i],
                             w[3] * A[2] * B[2] * (zl * zr)};
        if (owned) {
            release_slot(m, l);
            release_slot(m, r);
        }
        gone += 2;
        leave_records(m, arena, l, r, pl, pr, v);
    }
    arena->live -= gone;
    return QM_OK;
}

/* Whether the pair of the first operand is for lanes: else they need not be tried. */
static inline int is_for_lanes(const qm_t *m, qm_handle h) {
    uint32_t rec = (uint32_t)h >> 1;
    const record_t *r = &m->records[rec <= m->capacity ? rec : 0];
    return rec_kind(r) != REC_OPEN && !(r->w[0] & REST);
}

static int burst_swap(burst_t *b, const gate_noise_t *g, bitgen_t *rng, int8_t *outcomes) {
    const qm_handle *l = b->o[0].h, *r = b->o[1].h;
    swap_lanes_t *lanes = (swap_lanes_t *)b->xy;
    if (b->n && is_for_lanes(b->m, l[0]) &&
        swap_lanes_read(b->m, l, r, b->o[0].now_ps, b->o[0].now_step, b->n, g, lanes)) {
        for (int64_t i = 0; b->m->slots && i < b->n; i++) {
            release_slot(b->m, (uint32_t)l[i]);
            release_slot(b->m, (uint32_t)r[i]);
        }
        swap_lanes_write(b->m, l, r, b->n, g->readout_error, rng, lanes, outcomes);
        b->arena->live -= 2 * b->n;
        return QM_OK;
    }
    int code = burst_check(b);
    if (code || !(code = swap_checked(b, g, rng, outcomes))) return code;
    unmark(b, b->operands, b->n);
    b->at = -1;
    return code;
}

/* Measures half of a pair held as a matrix; the partner is left alone with its Bloch vector. */
static inline int measure_matrix(qm_t *m, arena_t *a, uint32_t q, const double *axis, double ex,
                                 double ez, double *u, int once) {
    row_t A[4] = {{0}};
    uint32_t p = load_rows(m, q, A, 0);
    double x = axis[0] * ex, y = axis[1] * ex, z = axis[2] * ez;
    double shift = ez < 1 ? axis[2] * (1 - ez) * profile_of(m, q)->z_eq : 0;
    double mean = x * A[1][0] + y * A[2][0] + z * A[3][0] + shift;
    int bit = *u >= (1 + mean) / 2;
    double s = 1 - 2 * bit, chance = (1 + s * mean) / 2, norm = 0.5 / chance;
    if (!once) *u = bit ? (*u - (1 - chance)) / chance : *u / chance;
    row_t left = norm * ((1 + s * shift) * A[0] + s * (x * A[1] + y * A[2] + z * A[3]));
    const double bloch[3] = {left[1], left[2], left[3]};
    drop_block(m, a, q);
    put_one(m, a, p, bloch);
    return bit;
}

WIDE static int measure_checked(burst_t *b, const double *axis, double readout_error,
                                bitgen_t *rng, int8_t *bits) {
    qm_t *m = b->m;
    arena_t *a = b->arena;
    coins_t coins = {0, 0};
    int once = readout_error == 0;
    exp_minus_all(b->xy, b->n);
    if (b->relaxes) exp_minus_all(b->z, b->n);
    for (int64_t i = 0; i < b->n; i++) {
        uint32_t q = (uint32_t)b->o[0].h[i], id = block_of(m, q);
        double u = 0, x = b->xy[i], z = b->relaxes ? b->z[i] : 1;
        view_t v;
        int bit;
        if (b->matrices) ask_for_block(m, &b->o[0], i, b->n);
        if (id && BLK_KIND(id) == BLK_ONE) {
            const double *bloch = m->smalls[BLK_INDEX(id)].v;
            double s = z < 1 ? (1 - z) * profile_of(m, q)->z_eq : 0;
            double mean =
                x * (axis[0] * bloch[0] + axis[1] * bloch[1]) + axis[2] * (z * bloch[2] + s);
            u = once && fabs(mean) == 1 ? 0.5 : draw(rng); /* it is certain, as in a GHZ state */
            bit = once ? u >= (1 + mean) / 2 : !decide((1 + mean) / 2, &u);
            free_small(m, a, BLK_INDEX(id));
        } else if (load_bell(m, q, &v)) {
            if (once) {
                bit = toss(&coins, 1, rng);
            } else {
                u = draw(rng);
                bit = !decide(0.5, &u);
            }
            double s = 1 - 2 * bit;
            const double bloch[3] = {s * axis[0] * v.v[0] * x, s * axis[1] * v.v[1] * x,
                                     s * axis[2] * v.v[2] * z};
            drop_block(m, a, q);
            put_one(m, a, v.partner, bloch);
        } else if (is_matrix(m, q)) {
            u = draw(rng);
            bit = measure_matrix(m, a, q, axis, x, z, &u, once);
        } else {
            int code = qm_measure(m, a, time_at(&b->o[0], i), b->o[0].h[i], axis, readout_error,
                                  rng, &bit);
            if (code) return code;
            bits[i] = (int8_t)bit;
            continue;
        }
        if (!once) bit ^= decide(readout_error, &u);
        kill_qubit(m, a, q);
        bits[i] = (int8_t)bit;
    }
    return QM_OK;
}

static int burst_measure(burst_t *b, const double *axis, double readout_error, bitgen_t *rng,
                         int8_t *bits) {
    int code = burst_check(b);
    if (code || !(code = measure_checked(b, axis, readout_error, rng, bits))) return code;
    unmark(b, 1, b->n);
    b->at = -1;
    return code;
}

/* Both bits, 2 a + b, of a pair held as a matrix; x, z: decays at q's end and at the other's. */
INLINE int measure_both(const qm_t *m, uint32_t q, const double *axis, const double *x,
                        const double *z, double *u, int once) {
    row_t A[4] = {{0}};
    const uint32_t end[2] = {q, load_rows(m, q, A, 0)};
    double w[2][4], chance[4];
    for (int e = 0; e < 2; e++) { /* weights of I, X, Y, Z at each end */
        w[e][0] = z[e] < 1 ? axis[2] * (1 - z[e]) * profile_of(m, end[e])->z_eq : 0;
        w[e][1] = axis[0] * x[e];
        w[e][2] = axis[1] * x[e];
        w[e][3] = axis[2] * z[e];
    }
    row_t row = w[0][0] * A[0] + w[0][1] * A[1] + w[0][2] * A[2] + w[0][3] * A[3];
    const row_t other = {w[1][0], w[1][1], w[1][2], w[1][3]};
    row_t one = other * A[0], two = other * row;
    double a = row[0], c = (one[0] + one[1]) + (one[2] + one[3]);
    double both = (two[0] + two[1]) + (two[2] + two[3]);
    const row_t sa = {1, 1, -1, -1}, sb = {1, -1, 1, -1};
    row_t all = (1 + sa * a + sb * c + sa * sb * both) * 0.25;
    for (int k = 0; k < 4; k++) chance[k] = all[k] > 0 ? all[k] : 0;
    return pick(chance, u, once);
}

/* Pairs that are not in records: the cold part of measure_pairs_checked(). */
static void measure_bell_block(const qm_t *m, uint32_t q, double *v) {
    view_t view;
    load_bell(m, q, &view);
    memcpy(v, view.v, sizeof view.v);
}

static void end_pair(qm_t *m, arena_t *a, uint32_t q, uint32_t p) {
    drop_block(m, a, q);
    kill_qubit(m, a, q);
    kill_qubit(m, a, p);
}

WIDE static int measure_pairs_checked(burst_t *b, const double *axis, double readout_error,
                                      bitgen_t *rng, int8_t *bits_a, int8_t *bits_b) {
    qm_t *const m = b->m;
    arena_t *const arena = b->arena;
    const qm_handle *const ha = b->o[0].h, *const hb = b->o[1].h;
    double *const xy = b->xy, *const z = b->z;
    const int64_t n = b->n;
    const int once = readout_error == 0, relaxes = b->relaxes, matrices = b->matrices;
    const int owned = m->slots != NULL;
    int64_t gone = 0;
    const double square[3] = {axis[0] * axis[0], axis[1] * axis[1], axis[2] * axis[2]};
    coins_t coins = {0, 0};
    for (int64_t i = 0; i < n; i++) { /* of a Bell-diagonal pair only the product is used */
        if (matrices && is_matrix(m, (uint32_t)ha[i])) continue;
        xy[i] += xy[n + i];
        z[i] += z[n + i];
    }
    exp_minus_all(xy, matrices ? 2 * n : n);
    if (relaxes) exp_minus_all(z, matrices ? 2 * n : n);
    for (int64_t i = 0; i < n; i++) {
        uint32_t q = (uint32_t)ha[i], p = (uint32_t)hb[i], partner;
        double v[3], u = draw(rng), zz = relaxes ? z[i] : 1;
        int first, second, records = !block_of(m, q);
        if (matrices) ask_for_block(m, &b->o[0], i, n);
        if (matrices && is_matrix(m, q)) {
            const double x[2] = {xy[i], xy[n + i]}, zs[2] = {zz, relaxes ? z[n + i] : 1};
            int k = measure_both(m, q, axis, x, zs, &u, once);
            first = k >> 1;
            second = k & 1;
        } else {
            if (!records || !load_record_pair(m, q, v, &partner)) measure_bell_block(m, q, v);
            double same = (square[0] * v[0] + square[1] * v[1]) * xy[i] + square[2] * v[2] * zz;
            first = toss(&coins, 1, rng);
            second = first ^ (once ? u >= (1 + same) / 2 : !decide((1 + same) / 2, &u));
        }
        if (!once) {
            first ^= decide(readout_error, &u);
            second ^= decide(readout_error, &u);
        }
        bits_a[i] = (int8_t)first;
        bits_b[i] = (int8_t)second;
        if (!records) {
            end_pair(m, arena, q, p);
            continue;
        }
        if (owned) {
            release_slot(m, q);
            release_slot(m, p);
        }
        gone += 2;
        free_record(m, arena, q >> 1);
        if (p != (q ^ 1)) free_record(m, arena, p >> 1);
    }
    arena->live -= gone;
    return QM_OK;
}

/* Measures both halves of pairs along one axis; operands: the first and the second halves. */
static int burst_measure_pairs(burst_t *b, const double *axis, double readout_error,
                               bitgen_t *rng, int8_t *bits_a, int8_t *bits_b) {
    const qm_handle *ha = b->o[0].h, *hb = b->o[1].h;
    if (b->n && is_for_lanes(b->m, ha[0]) &&
        pairs_lanes_read(b->m, ha, hb, b->o[0].now_ps, b->o[0].now_step, b->n, axis, b->xy)) {
        for (int64_t i = 0; b->m->slots && i < b->n; i++) {
            release_slot(b->m, (uint32_t)ha[i]);
            release_slot(b->m, (uint32_t)hb[i]);
        }
        pairs_lanes_write(b->m, b->arena, ha, hb, b->n, b->xy, readout_error, rng, bits_a,
                          bits_b);
        return QM_OK;
    }
    int code = burst_check(b);
    return code ? code : measure_pairs_checked(b, axis, readout_error, rng, bits_a, bits_b);
}

/* ---- the scalar verbs, one after the other ---- */

static int burst_pauli(burst_t *b, const int8_t *xz, double gate_error, bitgen_t *rng) {
    int code = burst_check_only(b);
    for (int64_t i = 0; i < b->n && !code; i++) {
        b->at = -1;
        code = qm_pauli(b->m, b->arena, time_at(&b->o[0], i), b->o[0].h[i], xz[i], gate_error,
                        rng);
    }
    return code;
}

static int burst_age(burst_t *b, bitgen_t *rng) {
    int code = burst_check_only(b);
    for (int64_t i = 0; i < b->n && !code; i++) {
        b->at = -1;
        code = qm_age(b->m, b->arena, time_at(&b->o[0], i), b->o[0].h[i], rng);
    }
    return code;
}

static int burst_free(burst_t *b, bitgen_t *rng) {
    int code = burst_check_only(b);
    for (int64_t i = 0; i < b->n && !code; i++) {
        b->at = -1;
        code = qm_free(b->m, b->arena, b->o[0].h[i], rng);
    }
    return code;
}

/* Operands: kept a, kept b, spent a, spent b. */
static int burst_distil(burst_t *b, int protocol, const gate_noise_t *g, bitgen_t *rng,
                        int8_t *success) {
    const operand_t *o = b->o;
    int bits[2], ok = 0, code = burst_check_only(b);
    for (int64_t i = 0; i < b->n && !code; i++) {
        const qm_handle h[4] = {o[0].h[i], o[1].h[i], o[2].h[i], o[3].h[i]};
        b->at = -1;
        code = qm_distil(b->m, b->arena, time_at(&o[0], i), time_at(&o[0], i), h, protocol, g, rng,
                         bits, &ok);
        success[i] = (int8_t)ok;
    }
    return code;
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

static int burst_fidelity(burst_t *b, int bell, double *f) {
    const operand_t *o = b->o;
    int code = burst_check_only(b);
    for (int64_t i = 0; i < b->n && !code; i++) {
        uint32_t qa = (uint32_t)o[0].h[i], qb = (uint32_t)o[1].h[i];
        b->at = -1;
        code = qm_peek_fidelity(b->m, o[0].h[i], o[0].now_ps ? time_at(&o[0], i) : clock_of(b->m, qa),
                                o[1].h[i], o[1].now_ps ? time_at(&o[1], i) : clock_of(b->m, qb), bell,
                                &f[i]);
    }
    return code;
}

#endif
