/* Channels on one qubit of a Pauli vector. All are exact; none is twirled.
 *
 * A block's state is R[P1..Pn] = <P1 x ... x Pn>, P in I, X, Y, Z, first qubit most significant.
 * A channel on one qubit is a real 4x4 Pauli transfer matrix; those here have the form
 * X -> x X, Y -> y Y, Z -> z Z + s I (Heisenberg picture), which is `affine_t`.
 *
 * T1/T2 (1/Tphi = 1/T2 - 1/(2 T1)) with equilibrium population pi of |1>:
 *   x = y = exp(-t/T2), z = exp(-t/T1), s = (1 - exp(-t/T1)) (1 - 2 pi).
 */
#ifndef QPLANE_MEMORY_NOISE_H
#define QPLANE_MEMORY_NOISE_H

#include "qplane_cext/memory/store.h"

#define PS_PER_S 1e12

typedef struct {
    double x, y, z, s;
} affine_t;

/* Compiled once more for wider registers, where the loader can choose; without fused
 * multiply-adds (-ffp-contract=off), so that results are the same bit for bit. */
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 12 && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WIDE
#endif

#define INLINE static inline __attribute__((always_inline))

/* exp(-x) for x >= 0, to within 2 units in the last place: Cody and Waite's reduction and a Taylor
 * polynomial by Estrin's scheme. Not the C library's, whose last bit depends on the machine. */
INLINE double exp_minus(double x) {
    const double magic = 0x1.8p52, log2e = 0x1.71547652b82fep0;
    const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    double t = x < 708 ? -x : -708, k = t * log2e + magic;
    int64_t bits, power;
    memcpy(&power, &k, 8);
    k -= magic;
    t = (t - k * ln2_high) - k * ln2_low;
    double t2 = t * t, t4 = t2 * t2;
    double a = (1 + t) + (1.0 / 2 + t * (1.0 / 6)) * t2;
    double b = (1.0 / 24 + t * (1.0 / 120)) + (1.0 / 720 + t * (1.0 / 5040)) * t2;
    double c = (1.0 / 40320 + t * (1.0 / 362880)) + (1.0 / 3628800 + t * (1.0 / 39916800)) * t2;
    double d = 1.0 / 479001600 + t * (1.0 / 6227020800.0);
    double p = (a + b * t4) + (c + d * t4) * (t4 * t4);
    memcpy(&bits, &p, 8);
    bits += (int64_t)((uint64_t)power << 52);
    memcpy(&p, &bits, 8);
    return p;
}

WIDE static void exp_minus_all(double *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = exp_minus(x[i]);
}

static inline affine_t ageing(const profile_t *p, int64_t dt_ps) {
    affine_t c = {1, 1, 1, 0};
    double t = (double)dt_ps;
    if (p->rate2 != 0 && dt_ps) c.x = c.y = exp_minus(t * p->rate2);
    if (p->rate1 != 0 && dt_ps) {
        c.z = exp_minus(t * p->rate1);
        c.s = (1 - c.z) * p->z_eq;
    }
    return c;
}

/* Rows (first qubit) or columns (second qubit) of a pair matrix. */
static inline void affine_rows(double *R, affine_t c) {
    for (int j = 0; j < 4; j++) {
        R[4 + j] *= c.x;
        R[8 + j] *= c.y;
        R[12 + j] = c.z * R[12 + j] + c.s * R[j];
    }
}

static inline void affine_columns(double *R, affine_t c) {
    for (int i = 0; i < 16; i += 4) {
        R[i + 1] *= c.x;
        R[i + 2] *= c.y;
        R[i + 3] = c.z * R[i + 3] + c.s * R[i];
    }
}

static int is_probability(double p) { return p >= 0 && p <= 1; }

/* The index of a noise profile (equal ones share one), or QM_EARG, QM_EFULL. `twirl` asks for
 * the Pauli approximation: the drift of Z towards equilibrium is dropped, decay rates are kept. */
static int add_profile(qm_t *m, double t1_s, double t2_s, double population, int twirl) {
    if (!(t1_s > 0) || !(t2_s > 0) || !is_probability(population)) return QM_EARG;
    if (t2_s > 2 * t1_s * (1 + 1e-12)) return QM_EARG;
    if (twirl) population = 0.5;
    if (isinf(t1_s)) population = 0; /* never reached: one name for one thing */
    for (uint32_t i = 0; i < m->n_profiles; i++) {
        const profile_t *p = &m->profiles[i];
        if (p->t1_s == t1_s && p->t2_s == t2_s && p->population == population) return (int)i;
    }
    if (m->n_profiles == MAX_PROFILES) return QM_EFULL;
    profile_t *p = &m->profiles[m->n_profiles];
    p->t1_s = t1_s;
    p->t2_s = t2_s;
    p->population = population;
    p->rate1 = 1 / (t1_s * PS_PER_S);
    p->rate2 = 1 / (t2_s * PS_PER_S);
    p->z_eq = 1 - 2 * population;
    p->pauli = p->rate1 == 0 || p->z_eq == 0;
    /* reset towards the nearer pole with the weight of s, a Pauli channel with the rest: all its
     * probabilities are positive for short times, and so for all, when 2/T2 >= (1 + |z_eq|)/T1 */
    p->mixture = 2 * p->rate2 >= (1 + fabs(p->z_eq)) * p->rate1;
    return (int)m->n_profiles++;
}

static int gate_noise_ok(const gate_noise_t *g) {
    return is_probability(g->two_qubit_error) && is_probability(g->one_qubit_error) &&
           is_probability(g->readout_error);
}

#endif
