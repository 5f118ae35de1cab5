/* Blocks of any kind: how a state moves between its forms, ages, joins and splits.
 *
 *   one, pair    the exact Bloch vector and 4x4 matrix; "bell" is a pair's diagonal alone
 *   vector       3 to 8 qubits, exact
 *   tableau      a stabilizer state; its noise is sampled, so it is exact in distribution
 *
 * A form changes by itself only where the new one is exact, or exact in distribution. What would
 * need a vector of more than 8 qubits is refused (QM_EPURE) before anything changes.
 */
#ifndef QPLANE_MEMORY_BLOCKS_H
#define QPLANE_MEMORY_BLOCKS_H

#include "qplane_cext/memory/pair.h"

static inline uint32_t block_of(const qm_t *m, uint32_t q) { /* 0: a compact or split pair */
    const record_t *r = &m->records[q >> 1];
    return rec_kind(r) == REC_OPEN ? rec_block(r, q & 1) : 0;
}

static inline big_t *big_of(const qm_t *m, uint32_t id) { return m->bigs[BLK_INDEX(id)]; }

static inline big_t *tableau_of(const qm_t *m, uint32_t q) { /* NULL: another form */
    uint32_t id = block_of(m, q);
    if (!id || BLK_KIND(id) != BLK_BIG) return NULL;
    big_t *b = big_of(m, id);
    return b->words ? b : NULL;
}

/* Whether q is half of a Bell-diagonal pair, held as one. */
static inline int is_bell_pair(const qm_t *m, uint32_t q) {
    const record_t *r = &m->records[q >> 1];
    return rec_kind(r) == REC_OPEN ? BLK_KIND(rec_block(r, q & 1)) == BLK_BELL : !(r->w[0] & REST);
}

static inline int qubits_with(const qm_t *m, uint32_t q) {
    uint32_t id = block_of(m, q);
    if (!id || BLK_KIND(id) == BLK_BELL || BLK_KIND(id) == BLK_PAIR) return 2;
    return BLK_KIND(id) == BLK_ONE ? 1 : big_of(m, id)->n;
}

static inline int same_block(const qm_t *m, uint32_t p, uint32_t q) {
    uint32_t id = block_of(m, p);
    return id ? id == block_of(m, q) : partner_of(m, p) == q;
}

static inline int member_index(const big_t *b, uint32_t q) {
    int k = 0;
    while (b->m[k] != q) k++;
    return k;
}

static void put_big(qm_t *m, arena_t *a, big_t *b) {
    uint32_t id = BLK_ID(BLK_BIG, new_big(m, a, b));
    for (int k = 0; k < b->n; k++) set_block(m, b->m[k], id);
}

static inline int may_be_bell(const qm_t *m, uint32_t p, uint32_t q) {
    return !m->exact_only && profile_of(m, p)->pauli && profile_of(m, q)->pauli;
}

/* ---- Pauli vectors of any block ---- */

/* The state of q's block: R points into the block where that is a big vector (scratch is left
 * alone), and to scratch otherwise, which must have room for all of a tableau's 4^n. */
static void load_vector(const qm_t *m, uint32_t q, vector_t *v, double *scratch) {
    uint32_t id = block_of(m, q), i = BLK_INDEX(id);
    v->R = scratch;
    if (id && BLK_KIND(id) == BLK_ONE) {
        v->n = 1;
        v->m[0] = q;
        scratch[0] = 1;
        memcpy(scratch + 1, m->smalls[i].v, sizeof m->smalls[i].v);
    } else if (id && BLK_KIND(id) == BLK_BIG) {
        const big_t *b = big_of(m, id);
        if (b->words) {
            tableau_to_vector(b, v);
            return;
        }
        v->n = b->n;
        v->R = b->R;
        memcpy(v->m, b->m, (size_t)b->n * sizeof *b->m);
    } else {
        view_t p;
        v->n = 2;
        v->m[0] = q;
        v->m[1] = partner_of(m, q);
        load_pair(m, q, v->m[1], &p);
        view_to_matrix(&p);
        memcpy(scratch, p.R, sizeof p.R);
    }
}

/* Frees q's block; opens the record or records that hold the pair where there is none. */
static void discard_block(qm_t *m, arena_t *a, uint32_t q) {
    uint32_t id = block_of(m, q);
    if (id && BLK_KIND(id) == BLK_BIG)
        free_big(m, a, BLK_INDEX(id));
    else
        drop_block(m, a, q);
}

/* Takes a big block out of the memory for a change in place; NULL where q's block is not big. */
static big_t *take_big(qm_t *m, arena_t *a, uint32_t q) {
    uint32_t id = block_of(m, q);
    if (!id || BLK_KIND(id) != BLK_BIG) return NULL;
    big_t *b = big_of(m, id);
    m->bigs[BLK_INDEX(id)] = NULL;
    free_big(m, a, BLK_INDEX(id));
    return b;
}

/* Stores a state of qubits whose records are open and whose blocks are gone. `owned` is the block
 * that v->R lies in, where it was made for the purpose: it is used as it is. */
static void put_vector(qm_t *m, arena_t *a, const vector_t *v, big_t *owned) {
    if (v->n == 1) {
        put_one(m, a, v->m[0], v->R + 1);
    } else if (v->n == 2) {
        double diagonal[3] = {v->R[5], v->R[10], v->R[15]};
        if (may_be_bell(m, v->m[0], v->m[1]) && is_bell_diagonal(v->R))
            put_bell(m, a, v->m[0], v->m[1], diagonal);
        else
            put_pair(m, a, v->m[0], v->m[1], v->R);
    } else if (v->n) {
        owned->n = v->n;
        memcpy(owned->m, v->m, (size_t)v->n * sizeof *v->m);
        put_big(m, a, owned);
        return;
    }
    free(owned);
}

/* The same for a state that may be a product: each of its components becomes a block. */
static void put_components(qm_t *m, arena_t *a, vector_t *v, big_t *owned) {
    while (v->n > 1) {
        size_t all = size4(v->n) - 1, part = vector_component(v);
        int n = __builtin_popcountll(part) / 2;
        big_t *b = part != all && n > 2 ? big_vector(n) : NULL;
        if (part == all || (n > 2 && !b)) break; /* no room: it stays one block */
        double scratch[16];
        vector_t one = {.R = b ? b->R : scratch};
        vector_reduce(v, part, &one);
        vector_reduce(v, all & ~part, v);
        put_vector(m, a, &one, b);
    }
    put_vector(m, a, v, owned);
}

/* Gives q's block the form of a vector in place: a Bell-diagonal pair becomes a matrix,
 * a tableau (of at most MAX_VECTOR qubits) a big vector. */
static int make_exact(qm_t *m, arena_t *a, uint32_t q) {
    big_t *t = tableau_of(m, q);
    if (t) {
        if (t->n > MAX_VECTOR) return QM_EPURE;
        big_t *b = big_vector(t->n);
        vector_t v = {.R = b ? b->R : NULL};
        if (!b) return QM_ENOMEM;
        tableau_to_vector(t, &v);
        discard_block(m, a, q);
        put_vector(m, a, &v, b);
        return make_exact(m, a, q); /* two qubits may have come out Bell-diagonal */
    }
    if (is_bell_pair(m, q)) {
        view_t p;
        load_pair(m, q, partner_of(m, q), &p);
        view_to_matrix(&p);
        discard_block(m, a, q);
        put_pair(m, a, q, p.partner, p.R);
    }
    return QM_OK;
}

/* ---- tableaus ---- */

/* A qubit alone whose stabilizer is X^x Z^z: its Bloch vector, `frame` the frame's x + 2 z. */
static inline void put_pole(qm_t *m, arena_t *a, uint32_t q, int x, int z, int minus, int frame) {
    double bloch[3] = {0, 0, 0};
    minus ^= (x & frame >> 1) ^ (z & frame);
    bloch[x && z ? 1 : x ? 0 : 2] = minus & 1 ? -1 : 1;
    put_one(m, a, q, bloch);
}

/* Splits a tableau of at most 64 qubits whose rows are one letter each, as after the measurement of
 * a GHZ state; 0 where it is not that. */
static int split_product(qm_t *m, arena_t *a, uint32_t id) {
    big_t *t = big_of(m, id);
    if (t->words != 1) return 0;
    for (int r = 0; r < t->n; r++) {
        uint64_t support = t->x[r] | t->z[r];
        if (support & (support - 1)) return 0;
    }
    for (int r = 0; r < t->n; r++) {
        int q = __builtin_ctzll(t->x[r] | t->z[r]);
        put_pole(m, a, t->m[q], t->x[r] != 0, t->z[r] != 0, t->sign[r],
                 (int)(t->fx[0] >> q & 1) + 2 * (int)(t->fz[0] >> q & 1));
    }
    free_big(m, a, BLK_INDEX(id));
    return 1;
}

/* Splits a tableau into its entangled components; those of one and two qubits become exact. */
static int split_tableau(qm_t *m, arena_t *a, uint32_t id) {
    big_t *t = big_of(m, id);
    int stack[64], *component = t->n <= 64 ? stack : malloc((size_t)t->n * sizeof(int));
    if (!component) return QM_ENOMEM;
    if (split_product(m, a, id)) return QM_OK; /* of 64 qubits at most: nothing was allocated */
    tableau_reduce(t);
    if (split_product(m, a, id)) return QM_OK;
    int count = tableau_components(t, component);
    if (count == 1 && t->n > 2) {
        if (component != stack) free(component);
        return QM_OK;
    }
    for (int c = 0; c < count; c++) {
        int size = 0, last = 0;
        for (int q = 0; q < t->n; q++)
            if (component[q] == c) {
                size++;
                last = q;
            }
        double R[16];
        vector_t v = {.R = R};
        if (size == 1) { /* its row is one letter */
            int r = 0;
            while (!(get_bit(row_x(t, r), last) | get_bit(row_z(t, r), last))) r++;
            int x = get_bit(row_x(t, r), last), z = get_bit(row_z(t, r), last);
            put_pole(m, a, t->m[last], x, z, t->sign[r],
                     get_bit(t->fx, last) + 2 * get_bit(t->fz, last));
            continue;
        }
        big_t *part = tableau_part(t, component, c);
        if (!part) return QM_ENOMEM;
        if (size > 2) {
            put_big(m, a, part);
            continue;
        }
        tableau_to_vector(part, &v);
        put_vector(m, a, &v, part);
    }
    if (component != stack) free(component);
    free_big(m, a, BLK_INDEX(id));
    return QM_OK;
}

/* Whether q's block, once q has been aged to now, can become a tableau exact in distribution. */
static int fits_tableau(const qm_t *m, uint32_t q, int64_t now_ps) {
    const profile_t *p = profile_of(m, q);
    int unchanged = now_ps == clock_of(m, q) || (p->rate1 == 0 && p->rate2 == 0);
    double scratch[16];
    vector_t v;
    if (!p->mixture) return 0;
    if (is_bell_pair(m, q) || tableau_of(m, q)) return 1;
    load_vector(m, q, &v, scratch);
    if (v.n == 1) return fabs(v.R[1]) + fabs(v.R[2]) + fabs(v.R[3]) <= 1 + 1e-12;
    if (v.n == 2 && is_bell_diagonal(v.R)) return p->pauli || unchanged;
    if (!unchanged) return 0;
    big_t *t = vector_to_tableau(&v);
    free(t);
    return t != NULL;
}

/* A tableau of q's block, with its mixture sampled; for a state that fits_tableau(). */
static big_t *sample_tableau(const qm_t *m, uint32_t q, bitgen_t *rng) {
    double R[16] = {1}, scratch[16];
    const big_t *t = tableau_of(m, q);
    vector_t v;
    if (t) return tableau_join(t, NULL);
    load_vector(m, q, &v, scratch);
    if (v.n == 1) { /* a mixture of the six poles of the Bloch sphere */
        double u = draw(rng);
        int pole = 0;
        while (pole < 2 && u >= fabs(v.R[1 + pole])) u -= fabs(v.R[1 + pole++]);
        double weight = fabs(v.R[1 + pole]), sign = v.R[1 + pole] < 0 ? -1 : 1;
        if (u >= weight && weight < 1) sign = draw(rng) < 0.5 ? -1 : 1; /* the mixed rest */
        R[1 + pole] = sign;
        v.R = R;
    } else if (v.n == 2 && is_bell_diagonal(v.R)) {
        double p[4], u = draw(rng);
        for (int k = 0; k < 4; k++) {
            p[k] = 1 + BELL_SIGN[k][0] * v.R[5] + BELL_SIGN[k][1] * v.R[10] +
                   BELL_SIGN[k][2] * v.R[15];
            p[k] = p[k] > 0 ? p[k] / 4 : 0;
        }
        bell_to_matrix(BELL_SIGN[pick4(p, &u)], R);
        v.R = R;
    }
    return vector_to_tableau(&v);
}

/* The Pauli X^x Z^z with probability p[2 x + z] on qubit k of a tableau. */
static void sample_pauli(big_t *t, int k, const double *p, bitgen_t *rng) {
    double u = draw(rng);
    int xz = pick4(p, &u);
    tableau_pauli(t, k, xz >> 1, xz & 1);
}

/* A channel that is a mixture of Pauli operations and a reset, sampled. A qubit that was reset
 * leaves its block. */
static int sample_affine(qm_t *m, arena_t *a, uint32_t q, affine_t c, bitgen_t *rng) {
    big_t *t = tableau_of(m, q);
    uint32_t id = block_of(m, q);
    int k = member_index(t, q), row;
    double w = fabs(c.s), u = w > 0 ? draw(rng) : 1, pole[3] = {0, 0, c.s > 0 ? 1 : -1};
    if (u < w) {
        tableau_collapse(t, k, draw(rng) < 0.5, &row);
        tableau_remove(t, k, row);
        put_one(m, a, q, pole);
        if (t->n) return split_tableau(m, a, id);
        free_big(m, a, BLK_INDEX(id));
        return QM_OK;
    }
    double x = c.x / (1 - w), y = c.y / (1 - w), z = c.z / (1 - w);
    double p[4] = {(1 + x + y + z) / 4, (1 - x - y + z) / 4, (1 + x - y - z) / 4,
                   (1 - x + y - z) / 4};
    for (int i = 0; i < 4; i++) p[i] = p[i] > 0 ? p[i] : 0;
    sample_pauli(t, k, p, rng);
    return QM_OK;
}

/* ---- ageing in place ---- */

/* QM_OK where q can be aged to now in the form it has, or in a vector. */
static int may_touch(const qm_t *m, uint32_t q, int64_t now_ps) {
    int64_t clock = clock_of(m, q);
    if (now_ps < clock) return QM_ETIME;
    if (now_ps == clock || profile_of(m, q)->mixture) return QM_OK;
    const big_t *t = tableau_of(m, q);
    return t && t->n > MAX_VECTOR ? QM_EPURE : QM_OK;
}

/* A channel of the affine form on q; a tableau samples it where `mixture`, else becomes exact. */
static int apply_affine(qm_t *m, arena_t *a, uint32_t q, affine_t c, int mixture, bitgen_t *rng) {
    if (c.s != 0 && is_bell_pair(m, q)) make_exact(m, a, q);
    uint32_t id = block_of(m, q), i = BLK_INDEX(id);
    if (!id) {
        view_t p;
        load_pair(m, q, partner_of(m, q), &p);
        drop_block(m, a, q);
        if (p.bell) {
            p.v[0] *= c.x;
            p.v[1] *= c.y;
            p.v[2] *= c.z;
            put_bell(m, a, q, p.partner, p.v);
        } else {
            affine_rows(p.R, c);
            put_pair(m, a, q, p.partner, p.R);
        }
        return QM_OK;
    }
    if (BLK_KIND(id) == BLK_ONE || BLK_KIND(id) == BLK_BELL) {
        double *v = m->smalls[i].v;
        v[0] *= c.x;
        v[1] *= c.y;
        v[2] = c.z * v[2] + c.s;
        return QM_OK;
    }
    if (BLK_KIND(id) == BLK_PAIR) {
        double R[16] = {1};
        memcpy(R + 1, m->pairs[i].r, sizeof m->pairs[i].r);
        if (m->pairs[i].m[0] == q)
            affine_rows(R, c);
        else
            affine_columns(R, c);
        memcpy(m->pairs[i].r, R + 1, sizeof m->pairs[i].r);
        return QM_OK;
    }
    if (tableau_of(m, q)) {
        if (mixture) return sample_affine(m, a, q, c, rng);
        int code = make_exact(m, a, q);
        return code ? code : apply_affine(m, a, q, c, mixture, rng);
    }
    double none[16];
    vector_t v;
    load_vector(m, q, &v, none);
    vector_affine(&v, find_qubit(&v, q), c);
    return QM_OK;
}

/* Ages q to now; may_touch() has said that it can be done. */
static int touch(qm_t *m, arena_t *a, uint32_t q, int64_t now_ps, bitgen_t *rng) {
    int64_t dt = now_ps - clock_of(m, q);
    const profile_t *p = profile_of(m, q);
    int code = QM_OK;
    if (dt == 0) return QM_OK;
    if (p->rate1 != 0 || p->rate2 != 0)
        code = apply_affine(m, a, q, ageing(p, dt), p->mixture, rng);
    else if (rec_kind(&m->records[q >> 1]) == REC_COMPACT)
        code = apply_affine(m, a, q, (affine_t){1, 1, 1, 0}, 1, rng);
    if (!code) set_clock(m, q, now_ps);
    return code;
}

#endif
