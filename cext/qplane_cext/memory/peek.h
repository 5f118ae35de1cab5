/* The truth, for metrics and analysis only: nothing here changes a state. */
#ifndef QPLANE_MEMORY_PEEK_H
#define QPLANE_MEMORY_PEEK_H

#include "qplane_cext/memory/measure.h"

/* Fidelity to a Bell state with each half aged to a time of its own. */
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

/* The bit that qm_measure() would read of a qubit of a pair if its draw were u. */
static int qm_peek_bit(const qm_t *m, int64_t now_ps, qm_handle h, const double *axis,
                       double readout_error, double u, int *bit) {
    uint32_t q = slot_of(m, h), p;
    if (!q) return QM_ESTALE;
    if (!(p = partner_of(m, q))) return QM_EARG;
    if (now_ps < clock_of(m, q)) return QM_ETIME;
    view_t A;
    load_pair(m, q, p, &A);
    view_age(m, &A, now_ps);
    double mean = A.bell ? 0 : axis[0] * A.R[4] + axis[1] * A.R[8] + axis[2] * A.R[12];
    int b = !decide((1 + mean) / 2, &u);
    *bit = b ^ decide(readout_error, &u);
    return QM_OK;
}

/* The number of qubits in h's block, or an error; members (room for it) may be NULL. */
static int qm_members(const qm_t *m, qm_handle h, qm_handle *members) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    int n = qubits_with(m, q);
    if (!members) return n;
    uint32_t id = block_of(m, q);
    for (int k = 0; k < n; k++) {
        uint32_t other = q;
        if (id && BLK_KIND(id) == BLK_BIG)
            other = big_of(m, id)->m[k];
        else if (k)
            other = partner_of(m, q);
        members[k] = make_handle(m, other);
    }
    return n;
}

/* The Pauli vector of h's whole block in the order of qm_members(), each qubit aged to at_ps[k]. */
static int qm_peek_state(const qm_t *m, qm_handle h, const int64_t *at_ps, double *R) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (qubits_with(m, q) > MAX_VECTOR) return QM_EPURE;
    double *own = R;
    vector_t v;
    load_vector(m, q, &v, R);
    for (int k = 0; k < v.n; k++)
        if (at_ps[k] < clock_of(m, v.m[k])) return QM_ETIME;
    if (v.R != own) memcpy(own, v.R, size4(v.n) * sizeof(double));
    v.R = own;
    for (int k = 0; k < v.n; k++)
        vector_affine(&v, k, ageing(profile_of(m, v.m[k]), at_ps[k] - clock_of(m, v.m[k])));
    return QM_OK;
}

#endif
