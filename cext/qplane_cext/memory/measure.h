/* Measurement, Bell measurement, discarding, reset. A measured qubit leaves the memory. */
#ifndef QPLANE_MEMORY_MEASURE_H
#define QPLANE_MEMORY_MEASURE_H

#include "qplane_cext/memory/gates.h"

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

/* Effective weights of II, XX, YY, ZZ in a Bell measurement by CNOT (control first), H on the
 * control and read-out in Z, with depolarising gates: H^+ and CNOT^+ take Z1 to XX, Z2 to ZZ and
 * Z1 Z2 to -YY, and a depolarising gate scales what acts on its qubits by 1 - p. */
static inline void bell_weights(const gate_noise_t *g, int k, double *w) {
    double two = 1 - g->two_qubit_error, both = two * (1 - g->one_qubit_error);
    w[0] = 1;
    w[1] = BELL_SIGN[k][0] * both;
    w[2] = BELL_SIGN[k][1] * both;
    w[3] = BELL_SIGN[k][2] * two;
}

/* The four outcomes' probabilities from <PP>, P = I, X, Y, Z. */
static inline int pick_bell(const gate_noise_t *g, const double *pp, double *u) {
    double p[4], w[4];
    for (int k = 0; k < 4; k++) {
        bell_weights(g, k, w);
        p[k] = (1 + w[1] * pp[1] + w[2] * pp[2] + w[3] * pp[3]) / 4;
        if (!(p[k] > 0)) p[k] = 0;
    }
    return pick4(p, u);
}

static inline int misread(int k, double readout_error, double *u) {
    k ^= decide(readout_error, u);
    return k ^ decide(readout_error, u) << 1;
}

/* What a swap of l and r leaves, and their end: pl and pr, a pair in state R, or Bell-diagonal
 * where R is NULL. */
static inline void put_swapped(qm_t *m, arena_t *a, uint32_t l, uint32_t r, uint32_t pl,
                               uint32_t pr, const double *v, const double *R) {
    drop_block(m, a, l);
    drop_block(m, a, r);
    set_block(m, l, 0); /* so that pl and pr may have their records to themselves */
    set_block(m, r, 0);
    if (R)
        put_pair(m, a, pl, pr, R);
    else
        put_bell(m, a, pl, pr, v);
    kill_qubit(m, a, l);
    kill_qubit(m, a, r);
}

/* The same for pairs held in records, but for the number of live qubits and their owners. */
static inline void leave_records(qm_t *m, arena_t *a, uint32_t l, uint32_t r, uint32_t pl,
                                 uint32_t pr, const double *v) {
    rec_set_split(&m->records[pl >> 1], pl & 1, 0, pr, v);
    rec_set_split(&m->records[pr >> 1], pr & 1, 1, pl, v);
    if (pl != (l ^ 1)) free_record(m, a, l >> 1); /* it was split already */
    if (pr != (r ^ 1)) free_record(m, a, r >> 1);
}

/* Decay of X and Y, and of Z, while two halves age to now. */
static inline double decay_of_two(const half_t *a, const half_t *b, int64_t now_ps, double *z) {
    double ta = (double)(now_ps - a->clock), tb = (double)(now_ps - b->clock);
    double rate1 = ta * a->profile->rate1 + tb * b->profile->rate1;
    *z = rate1 != 0 ? exp_minus(rate1) : 1;
    return exp_minus(ta * a->profile->rate2 + tb * b->profile->rate2);
}

/* Halves of two different pairs held in records: the hot path of every repeater. 0 where they are
 * not that, or anything is wrong. */
static inline int swap_records(qm_t *m, arena_t *a, int64_t now_ps, qm_handle left, qm_handle right,
                               const gate_noise_t *g, bitgen_t *rng, int *outcome, int *actual) {
    half_t l, r;
    double w[4], z;
    if (!load_half(m, left, &l) || !load_half(m, right, &r) || l.partner == r.q || l.q == r.q ||
        now_ps < l.clock || now_ps < r.clock || !gate_noise_ok(g))
        return 0;
    double xy = decay_of_two(&l, &r, now_ps, &z), u = 4 * draw(rng);
    int k = *actual = (int)u; /* each outcome has probability 1/4 */
    u -= k;
    bell_weights(g, k, w);
    const double v[3] = {w[1] * l.v[0] * r.v[0] * xy, w[2] * l.v[1] * r.v[1] * xy,
                         w[3] * l.v[2] * r.v[2] * z};
    *outcome = g->readout_error > 0 ? misread(k, g->readout_error, &u) : k;
    if (m->slots) {
        release_slot(m, l.q);
        release_slot(m, r.q);
    }
    a->live -= 2;
    leave_records(m, a, l.q, r.q, l.partner, r.partner, v);
    return 1;
}

/* Halves of two different pairs. */
static void swap_pairs(qm_t *m, arena_t *a, int64_t now_ps, view_t *A, view_t *B,
                       const gate_noise_t *g, double *u, int *actual) {
    double w[4], v[3], R[16];
    int bell = A->bell && B->bell;
    view_age(m, A, now_ps);
    view_age(m, B, now_ps);
    if (bell) {
        double four = 4 * *u; /* each outcome has probability 1/4 */
        *actual = (int)four;
        *u = four - *actual;
        bell_weights(g, *actual, w);
        for (int j = 0; j < 3; j++) v[j] = w[1 + j] * A->v[j] * B->v[j];
    } else {
        view_to_matrix(A);
        view_to_matrix(B);
        double pp[4];
        for (int j = 0; j < 4; j++) pp[j] = A->R[4 * j] * B->R[4 * j];
        *actual = pick_bell(g, pp, u);
        bell_weights(g, *actual, w);
        double norm = 1 / (1 + w[1] * pp[1] + w[2] * pp[2] + w[3] * pp[3]);
        for (int i = 0; i < 4; i++)
            for (int n = 0; n < 4; n++) {
                double sum = 0;
                for (int j = 0; j < 4; j++) sum += w[j] * A->R[4 * j + i] * B->R[4 * j + n];
                R[4 * i + n] = sum * norm;
            }
        R[0] = 1;
    }
    put_swapped(m, a, A->q, B->q, A->partner, B->partner, v, bell ? NULL : R);
}

static int bell_in_tableau(qm_t *m, arena_t *a, uint32_t l, uint32_t r, const gate_noise_t *g,
                           double *u, bitgen_t *rng, int *actual) {
    static const double HADAMARD[3][3] = {{0, 0, 1}, {0, -1, 0}, {1, 0, 0}};
    big_t *t = tableau_of(m, l);
    uint32_t id = block_of(m, l);
    int j = member_index(t, l), k = member_index(t, r), row;
    tableau_gate2(t, j, k, GATE_CNOT);
    if (g->two_qubit_error > 0 && draw(rng) < g->two_qubit_error) {
        int xz = (int)(draw(rng) * 16);
        tableau_pauli(t, j, xz & 1, xz >> 1 & 1);
        tableau_pauli(t, k, xz >> 2 & 1, xz >> 3);
    }
    tableau_rotate(t, j, HADAMARD);
    if (g->one_qubit_error > 0 && draw(rng) < g->one_qubit_error) {
        int xz = (int)(draw(rng) * 4);
        tableau_pauli(t, j, xz & 1, xz >> 1);
    }
    *actual = tableau_collapse(t, j, decide(0.5, u), &row);
    tableau_remove(t, j, row);
    k = member_index(t, r);
    *actual |= tableau_collapse(t, k, decide(0.5, u), &row) << 1;
    tableau_remove(t, k, row);
    if (t->n) return split_tableau(m, a, id);
    free_big(m, a, BLK_INDEX(id));
    return QM_OK;
}

/* Two qubits of one block, or of two blocks of which one at least is not a pair. */
static int bell_in_vectors(qm_t *m, arena_t *a, uint32_t l, uint32_t r, const gate_noise_t *g,
                           double *u, int *actual) {
    int code, same = same_block(m, l, r);
    if ((code = make_exact(m, a, l)) || (code = make_exact(m, a, r))) return code;
    double sl[16], sr[16], pp[4], w[4];
    vector_t vl, vr, out;
    load_vector(m, l, &vl, sl);
    int j = find_qubit(&vl, l), k;
    if (same) {
        k = find_qubit(&vl, r);
        for (size_t p = 0; p < 4; p++)
            pp[p] = vl.R[p * (stride_of(&vl, j) + stride_of(&vl, k))];
    } else {
        load_vector(m, r, &vr, sr);
        k = find_qubit(&vr, r);
        for (size_t p = 0; p < 4; p++)
            pp[p] = vl.R[p * stride_of(&vl, j)] * vr.R[p * stride_of(&vr, k)];
    }
    big_t *b = big_vector(same ? 1 : vl.n + vr.n - 1), *bl, *br;
    if (!b) return QM_ENOMEM;
    *actual = pick_bell(g, pp, u);
    bell_weights(g, *actual, w);
    if (!(bl = take_big(m, a, l))) drop_block(m, a, l);
    if (same) {
        out = vl;
        vector_close(&vl, j, k, w, &out);
        free(b);
        put_components(m, a, &out, bl);
        return QM_OK;
    }
    if (!(br = take_big(m, a, r))) drop_block(m, a, r);
    out.R = b->R;
    vector_fuse(&vl, j, &vr, k, w, &out);
    free(bl);
    free(br);
    put_components(m, a, &out, b);
    return QM_OK;
}

/* Bell measurement of any two qubits, both of which leave the memory. */
static int qm_bell(qm_t *m, arena_t *a, int64_t now_ps, qm_handle left, qm_handle right,
                   const gate_noise_t *g, bitgen_t *rng, int *outcome, int *actual) {
    uint32_t l = slot_of(m, left), r = slot_of(m, right), pl, pr;
    if (!l || !r) return QM_ESTALE;
    if (l == r || !gate_noise_ok(g)) return QM_EARG;
    int code = may_touch(m, l, now_ps);
    if (code || (code = may_touch(m, r, now_ps))) return code;
    pl = partner_of(m, l);
    pr = partner_of(m, r);
    if (pl && pr && pl != r) {
        view_t A, B;
        load_pair(m, l, pl, &A);
        load_pair(m, r, pr, &B);
        double u = draw(rng);
        swap_pairs(m, a, now_ps, &A, &B, g, &u, actual);
        *outcome = misread(*actual, g->readout_error, &u);
        return QM_OK;
    } else {
        int plan = plan_join(m, l, r, now_ps);
        int n = qubits_with(m, l) + qubits_with(m, r);
        if (plan == JOIN_REFUSED && n - 2 > MAX_VECTOR) return QM_EPURE;
        if (plan == JOIN_REFUSED && (qubits_with(m, l) > MAX_VECTOR || qubits_with(m, r) > MAX_VECTOR))
            return QM_EPURE;
        if ((code = touch(m, a, l, now_ps, rng)) || (code = touch(m, a, r, now_ps, rng)))
            return code;
        double u = draw(rng);
        plan = plan_join(m, l, r, now_ps);
        if (plan == JOIN_TABLEAU || (plan == JOIN_SAME && tableau_of(m, l))) {
            if ((code = join_blocks(m, a, l, r, plan, rng))) return code;
            code = bell_in_tableau(m, a, l, r, g, &u, rng, actual);
        } else {
            code = bell_in_vectors(m, a, l, r, g, &u, actual);
        }
        if (code) return code;
        *outcome = misread(*actual, g->readout_error, &u);
    }
    kill_qubit(m, a, l);
    kill_qubit(m, a, r);
    return QM_OK;
}

/* Entanglement swapping: a Bell measurement on halves of two different pairs. */
static int qm_swap(qm_t *m, arena_t *a, int64_t now_ps, qm_handle left, qm_handle right,
                   const gate_noise_t *g, bitgen_t *rng, int *outcome, int *actual) {
    if (swap_records(m, a, now_ps, left, right, g, rng, outcome, actual)) return QM_OK;
    uint32_t l = slot_of(m, left), r = slot_of(m, right);
    if (!l || !r) return QM_ESTALE;
    uint32_t pl = partner_of(m, l);
    if (!pl || !partner_of(m, r) || pl == r) return QM_EARG;
    return qm_bell(m, a, now_ps, left, right, g, rng, outcome, actual);
}

/* The qubit leaves its block; w is what the block is contracted with (see vector_contract). */
static void leave_vector(qm_t *m, arena_t *a, uint32_t q, const double *w) {
    double scratch[16];
    vector_t v, out;
    load_vector(m, q, &v, scratch);
    big_t *b = take_big(m, a, q);
    if (!b) drop_block(m, a, q);
    out = v;
    vector_contract(&v, find_qubit(&v, q), w, &out);
    put_components(m, a, &out, b);
}

/* A measurement along Z with the given coin, after which the qubit leaves the tableau. */
static int leave_tableau(qm_t *m, arena_t *a, uint32_t q, int coin, int *bit) {
    big_t *t = tableau_of(m, q);
    uint32_t id = block_of(m, q);
    int k = member_index(t, q), row;
    *bit = tableau_collapse(t, k, coin, &row);
    tableau_remove(t, k, row);
    if (t->n) return split_tableau(m, a, id);
    free_big(m, a, BLK_INDEX(id));
    return QM_OK;
}

/* The qubit leaves its block and is traced out of it; its slot stays. */
static int trace_out(qm_t *m, arena_t *a, uint32_t q, bitgen_t *rng) {
    static const double NOTHING[4] = {1, 0, 0, 0};
    uint32_t p = partner_of(m, q);
    int ignored;
    if (p) {
        view_t A;
        double other[3] = {0, 0, 0};
        load_pair(m, q, p, &A);
        if (!A.bell) memcpy(other, A.R + 1, sizeof other);
        drop_block(m, a, q);
        put_one(m, a, p, other);
    } else if (qubits_with(m, q) == 1 && !tableau_of(m, q)) {
        drop_block(m, a, q);
    } else if (tableau_of(m, q)) { /* to discard is to measure and not to look */
        return leave_tableau(m, a, q, draw(rng) < 0.5, &ignored);
    } else {
        leave_vector(m, a, q, NOTHING);
    }
    return QM_OK;
}

/* Measurement along a unit Bloch vector; bit 0 is the +1 eigenstate. The qubit is freed. */
static int qm_measure(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, const double *axis,
                      double readout_error, bitgen_t *rng, int *bit) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    double length = axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2];
    if (!is_probability(readout_error) || !(fabs(length - 1) <= 1e-9)) return QM_EARG;
    int b, code = may_touch(m, q, now_ps);
    if (code) return code;
    uint32_t p = partner_of(m, q);
    double u, mean, s;
    if (p) {
        view_t A;
        double other[3];
        u = draw(rng);
        load_pair(m, q, p, &A);
        view_age(m, &A, now_ps);
        if (A.bell) {
            b = !decide(0.5, &u);
            for (int j = 0; j < 3; j++) other[j] = (b ? -1 : 1) * axis[j] * A.v[j];
        } else {
            mean = axis[0] * A.R[4] + axis[1] * A.R[8] + axis[2] * A.R[12];
            b = !decide((1 + mean) / 2, &u);
            s = b ? -1 : 1;
            double norm = 1 / (1 + s * mean);
            for (int j = 0; j < 3; j++) {
                double along = axis[0] * A.R[5 + j] + axis[1] * A.R[9 + j] + axis[2] * A.R[13 + j];
                other[j] = (A.R[1 + j] + s * along) * norm;
            }
        }
        drop_block(m, a, q);
        put_one(m, a, p, other);
    } else {
        double F[3][3] = {{0}}; /* a Clifford that takes the axis to Z, where there is one */
        int pole = -1;
        for (int i = 0; i < 3; i++)
            if (fabs(axis[i]) == 1) pole = i;
        if (pole < 0 && tableau_of(m, q) && tableau_of(m, q)->n > MAX_VECTOR) return QM_EPURE;
        if ((code = touch(m, a, q, now_ps, rng))) return code;
        u = draw(rng);
        if (tableau_of(m, q) && pole >= 0) {
            big_t *t = tableau_of(m, q);
            F[2][pole] = axis[pole];
            F[0][(pole + 1) % 3] = 1;
            F[1][(pole + 2) % 3] = axis[pole];
            if (pole != 2 || axis[2] < 0) tableau_rotate(t, member_index(t, q), F);
            if ((code = leave_tableau(m, a, q, !decide(0.5, &u), &b))) return code;
        } else {
            if ((code = make_exact(m, a, q))) return code;
            double scratch[16], w[4] = {1, 0, 0, 0};
            vector_t v;
            load_vector(m, q, &v, scratch);
            size_t stride = stride_of(&v, find_qubit(&v, q));
            mean = axis[0] * v.R[stride] + axis[1] * v.R[2 * stride] + axis[2] * v.R[3 * stride];
            b = !decide((1 + mean) / 2, &u);
            for (int i = 0; i < 3; i++) w[1 + i] = b ? -axis[i] : axis[i];
            if (v.n == 1)
                drop_block(m, a, q);
            else
                leave_vector(m, a, q, w);
        }
    }
    kill_qubit(m, a, q);
    *bit = b ^ decide(readout_error, &u);
    return QM_OK;
}

/* qm_measure_pair() of a Bell-diagonal pair held in records; 0 where it is not that, or anything is
 * wrong. */
static inline int measure_records(qm_t *m, arena_t *a, int64_t now_ps, qm_handle ha, qm_handle hb,
                                  const double *axis, double readout_error, bitgen_t *rng,
                                  int *bits) {
    half_t p, q;
    double length = axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2], z;
    if (!load_half(m, ha, &p) || !load_half(m, hb, &q) || p.partner != q.q || now_ps < p.clock ||
        now_ps < q.clock || !is_probability(readout_error) || !(fabs(length - 1) <= 1e-9))
        return 0;
    double xy = decay_of_two(&p, &q, now_ps, &z), u = 2 * draw(rng);
    double same = (axis[0] * axis[0] * p.v[0] + axis[1] * axis[1] * p.v[1]) * xy +
                  axis[2] * axis[2] * p.v[2] * z;
    int first = u >= 1, second;
    u -= first;
    if (readout_error > 0) {
        second = first ^ !decide((1 + same) / 2, &u);
        first ^= decide(readout_error, &u);
        second ^= decide(readout_error, &u);
    } else {
        second = first ^ (u >= (1 + same) / 2);
    }
    *bits = 2 * first + second;
    if (m->slots) {
        release_slot(m, p.q);
        release_slot(m, q.q);
    }
    a->live -= 2;
    free_record(m, a, p.q >> 1);
    if (q.q != (p.q ^ 1)) free_record(m, a, q.q >> 1);
    return 1;
}

/* Measures both halves of a pair along one axis; bits: 2 (bit of a) + (bit of b), as reported. */
static int qm_measure_pair(qm_t *m, arena_t *a, int64_t now_ps, qm_handle ha, qm_handle hb,
                           const double *axis, double readout_error, bitgen_t *rng, int *bits) {
    if (measure_records(m, a, now_ps, ha, hb, axis, readout_error, rng, bits)) return QM_OK;
    uint32_t p = slot_of(m, ha), q = slot_of(m, hb);
    if (!p || !q) return QM_ESTALE;
    if (p == q || partner_of(m, p) != q) return QM_EARG;
    if (now_ps < clock_of(m, p) || now_ps < clock_of(m, q)) return QM_ETIME;
    int first, second, code = qm_measure(m, a, now_ps, ha, axis, readout_error, rng, &first);
    if (!code) code = qm_measure(m, a, now_ps, hb, axis, readout_error, rng, &second);
    if (!code) *bits = 2 * first + second;
    return code;
}

/* Discards a qubit; what it was entangled with keeps its reduced state. */
static int qm_free(qm_t *m, arena_t *a, qm_handle h, bitgen_t *rng) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    int code = trace_out(m, a, q, noise_source(m, rng));
    if (!code) kill_qubit(m, a, q);
    return code;
}

/* Discards a qubit's state and initialises its slot to |0>, or to |1> with probability error. */
static int qm_reset(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, double error,
                    bitgen_t *rng) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (!is_probability(error)) return QM_EARG;
    if (now_ps < clock_of(m, q)) return QM_ETIME;
    const double bloch[3] = {0, 0, 1 - 2 * error};
    int code = trace_out(m, a, q, noise_source(m, rng));
    if (code) return code;
    put_one(m, a, q, bloch);
    set_clock(m, q, now_ps);
    return QM_OK;
}

#endif
