/* Gates and channels on one and two qubits. Every verb checks first and changes then. */
#ifndef QPLANE_MEMORY_GATES_H
#define QPLANE_MEMORY_GATES_H

#include "qplane_cext/memory/blocks.h"

static inline bitgen_t *noise_source(const qm_t *m, bitgen_t *rng) { return rng ? rng : m->noise; }

/* Writes a one- or two-qubit vector back to where it was loaded from. */
static void store_small(qm_t *m, arena_t *a, const vector_t *v) {
    if (v->n == 1) {
        small_t *one = &m->smalls[BLK_INDEX(block_of(m, v->m[0]))];
        memcpy(one->v, v->R + 1, sizeof one->v);
    } else if (v->n == 2) {
        drop_block(m, a, v->m[0]);
        put_pair(m, a, v->m[0], v->m[1], v->R);
    }
}

static int depolarise(qm_t *m, arena_t *a, uint32_t q, double p, bitgen_t *rng) {
    return p > 0 ? apply_affine(m, a, q, (affine_t){1 - p, 1 - p, 1 - p, 0}, 1, rng) : QM_OK;
}

/* Whether a rotation of the Bloch sphere permutes the axes, i.e. is a Clifford gate. */
static int is_clifford(const double F[3][3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            if (F[i][j] != 0 && F[i][j] != 1 && F[i][j] != -1) return 0;
    return 1;
}

static int is_pauli_rotation(const double F[3][3]) {
    return fabs(F[0][0]) == 1 && fabs(F[1][1]) == 1 && fabs(F[2][2]) == 1;
}

/* A unitary given as its rotation F of the Bloch sphere, then depolarising of gate_error. */
static int qm_rotate(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, const double F[3][3],
                     double gate_error, bitgen_t *rng) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (!is_probability(gate_error)) return QM_EARG;
    rng = noise_source(m, rng);
    int code = may_touch(m, q, now_ps), clifford = is_clifford(F);
    if (code) return code;
    if (!clifford && tableau_of(m, q) && tableau_of(m, q)->n > MAX_VECTOR) return QM_EPURE;
    if ((code = touch(m, a, q, now_ps, rng))) return code;
    big_t *t = tableau_of(m, q);
    if (t && clifford) {
        tableau_rotate(t, member_index(t, q), F);
    } else if (is_pauli_rotation(F)) {
        code = apply_affine(m, a, q, (affine_t){F[0][0], F[1][1], F[2][2], 0}, 1, rng);
    } else {
        double scratch[16], T[3][4];
        vector_t v;
        if ((code = make_exact(m, a, q))) return code;
        for (int i = 0; i < 3; i++) {
            T[i][0] = 0;
            for (int j = 0; j < 3; j++) T[i][1 + j] = F[i][j];
        }
        load_vector(m, q, &v, scratch);
        vector_apply(&v, find_qubit(&v, q), T);
        store_small(m, a, &v);
    }
    return code ? code : depolarise(m, a, q, gate_error, rng);
}

/* A Pauli gate X^x Z^z (bit 1: x, bit 0: z), then depolarising of probability gate_error. */
static int qm_pauli(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, int xz, double gate_error,
                    bitgen_t *rng) {
    if (xz < 0 || xz > 3) return slot_of(m, h) ? QM_EARG : QM_ESTALE;
    double sx = xz & 1 ? -1 : 1, sz = xz & 2 ? -1 : 1;
    const double F[3][3] = {{sx, 0, 0}, {0, sx * sz, 0}, {0, 0, sz}};
    return qm_rotate(m, a, now_ps, h, F, gate_error, rng);
}

static int qm_age(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, bitgen_t *rng) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    int code = may_touch(m, q, now_ps);
    return code ? code : touch(m, a, q, now_ps, noise_source(m, rng));
}

/* The Pauli channel X, Y, Z with probabilities px, py, pz. */
static int qm_pauli_channel(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, double px, double py,
                            double pz, bitgen_t *rng) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (!is_probability(px) || !is_probability(py) || !is_probability(pz) ||
        !(px + py + pz <= 1 + 1e-12))
        return QM_EARG;
    int code = may_touch(m, q, now_ps);
    rng = noise_source(m, rng);
    if (code || (code = touch(m, a, q, now_ps, rng))) return code;
    affine_t c = {1 - 2 * (py + pz), 1 - 2 * (px + pz), 1 - 2 * (px + py), 0};
    return apply_affine(m, a, q, c, 1, rng);
}

/* Amplitude damping of strength gamma towards equilibrium population pi of |1>; `twirl` drops what
 * is not Pauli. It is a mixture of Paulis and resets only for gamma 0 and 1, or |z_eq| small. */
static int qm_damp(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, double gamma,
                   double population, int twirl, bitgen_t *rng) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (!is_probability(gamma) || !is_probability(population)) return QM_EARG;
    affine_t c = {sqrt(1 - gamma), sqrt(1 - gamma), 1 - gamma,
                  twirl ? 0 : gamma * (1 - 2 * population)};
    int mixture = 1 - fabs(c.s) + c.z >= 2 * c.x;
    int code = may_touch(m, q, now_ps);
    if (code) return code;
    if (!mixture && tableau_of(m, q) && tableau_of(m, q)->n > MAX_VECTOR) return QM_EPURE;
    rng = noise_source(m, rng);
    if ((code = touch(m, a, q, now_ps, rng))) return code;
    return apply_affine(m, a, q, c, mixture, rng);
}

/* ---- two qubits ---- */

enum { JOIN_REFUSED, JOIN_SAME, JOIN_TABLEAU, JOIN_VECTOR };

/* How two qubits' blocks can be one block once both are aged to now. */
static int plan_join(const qm_t *m, uint32_t p, uint32_t q, int64_t now_ps) {
    if (same_block(m, p, q)) return JOIN_SAME;
    int n = qubits_with(m, p) + qubits_with(m, q);
    if ((tableau_of(m, p) || tableau_of(m, q) || n > MAX_VECTOR) && fits_tableau(m, p, now_ps) &&
        fits_tableau(m, q, now_ps))
        return JOIN_TABLEAU;
    return n <= MAX_VECTOR ? JOIN_VECTOR : JOIN_REFUSED;
}

/* Makes p's and q's blocks one, according to plan. */
static int join_blocks(qm_t *m, arena_t *a, uint32_t p, uint32_t q, int plan, bitgen_t *rng) {
    if (plan == JOIN_SAME) return tableau_of(m, p) ? QM_OK : make_exact(m, a, p);
    if (plan == JOIN_TABLEAU) {
        big_t *tp = sample_tableau(m, p, rng), *tq = sample_tableau(m, q, rng);
        big_t *t = tp && tq ? tableau_join(tp, tq) : NULL;
        free(tp);
        free(tq);
        if (!t) return QM_ENOMEM;
        discard_block(m, a, p);
        discard_block(m, a, q);
        put_big(m, a, t);
        return QM_OK;
    }
    int code = make_exact(m, a, p);
    if (code || (code = make_exact(m, a, q))) return code;
    double sp[16], sq[16];
    vector_t vp, vq, v;
    load_vector(m, p, &vp, sp);
    load_vector(m, q, &vq, sq);
    big_t *b = big_vector(vp.n + vq.n);
    if (!b) return QM_ENOMEM;
    v.R = b->R;
    vector_join(&vp, &vq, &v);
    discard_block(m, a, p);
    discard_block(m, a, q);
    if (v.n > 2) {
        put_vector(m, a, &v, b);
    } else { /* a matrix, not Bell-diagonal: the gate comes now */
        put_pair(m, a, v.m[0], v.m[1], v.R);
        free(b);
    }
    return QM_OK;
}

/* CNOT (h control) or CZ, then depolarising of probability gate_error on the two qubits. */
static int qm_gate2(qm_t *m, arena_t *a, int64_t now_ps, qm_handle h, qm_handle other, int gate,
                    double gate_error, bitgen_t *rng) {
    uint32_t p = slot_of(m, h), q = slot_of(m, other);
    if (!p || !q) return QM_ESTALE;
    if (p == q || !is_probability(gate_error)) return QM_EARG;
    int code = may_touch(m, p, now_ps);
    if (code || (code = may_touch(m, q, now_ps))) return code;
    if (plan_join(m, p, q, now_ps) == JOIN_REFUSED) return QM_EPURE;
    rng = noise_source(m, rng);
    if ((code = touch(m, a, p, now_ps, rng)) || (code = touch(m, a, q, now_ps, rng))) return code;
    if ((code = join_blocks(m, a, p, q, plan_join(m, p, q, now_ps), rng))) return code;
    big_t *t = tableau_of(m, p);
    if (t) {
        int j = member_index(t, p), k = member_index(t, q);
        tableau_gate2(t, j, k, gate);
        if (gate_error > 0 && draw(rng) < gate_error) {
            int xz = (int)(draw(rng) * 16);
            tableau_pauli(t, j, xz & 1, xz >> 1 & 1);
            tableau_pauli(t, k, xz >> 2 & 1, xz >> 3);
        }
        return split_tableau(m, a, block_of(m, p));
    }
    double scratch[16];
    vector_t v;
    load_vector(m, p, &v, scratch);
    vector_gate2(&v, find_qubit(&v, p), find_qubit(&v, q), &GATE2[gate], gate_error);
    if (vector_component(&v) == size4(v.n) - 1) {
        store_small(m, a, &v);
        return QM_OK;
    }
    big_t *b = take_big(m, a, p);
    if (!b) drop_block(m, a, p);
    put_components(m, a, &v, b);
    return QM_OK;
}

#endif
