/* Pauli vectors: exact states of up to MAX_VECTOR qubits, R[P1..Pn] = <P1 x ... x Pn>.
 *
 * Qubit k has stride 4^(n-1-k). Channels act in the Heisenberg picture: R'[P] = R[channel^+(P)].
 */
#ifndef QPLANE_MEMORY_VECTOR_H
#define QPLANE_MEMORY_VECTOR_H

#include "qplane_cext/memory/noise.h"

#define MAX_VECTOR 8

typedef struct {
    int n;
    uint32_t m[MAX_VECTOR]; /* slot indices of the qubits */
    double *R;              /* 4^n */
} vector_t;

static inline size_t size4(int n) { return (size_t)1 << (2 * n); }

static inline size_t stride_of(const vector_t *v, int k) { return size4(v->n - 1 - k); }

static inline int find_qubit(const vector_t *v, uint32_t q) {
    int k = 0;
    while (v->m[k] != q) k++;
    return k;
}

/* One-qubit channel: X, Y, Z -> rows 1..3 of T applied to (I, X, Y, Z). */
static void vector_apply(vector_t *v, int k, const double T[3][4]) {
    size_t s = stride_of(v, k), total = size4(v->n);
    for (size_t base = 0; base < total; base += 4 * s)
        for (size_t i = base; i < base + s; i++) {
            double r0 = v->R[i], r1 = v->R[i + s], r2 = v->R[i + 2 * s], r3 = v->R[i + 3 * s];
            for (int p = 0; p < 3; p++)
                v->R[i + (p + 1) * s] = T[p][0] * r0 + T[p][1] * r1 + T[p][2] * r2 + T[p][3] * r3;
        }
}

static void vector_affine(vector_t *v, int k, affine_t c) {
    size_t s = stride_of(v, k), total = size4(v->n);
    for (size_t base = 0; base < total; base += 4 * s)
        for (size_t i = base; i < base + s; i++) {
            v->R[i + s] *= c.x;
            v->R[i + 2 * s] *= c.y;
            v->R[i + 3 * s] = c.z * v->R[i + 3 * s] + c.s * v->R[i];
        }
}

/* U^+ (P x Q) U for P, Q in I, X, Y, Z: the image's index, and its sign. */
typedef struct {
    uint8_t image[16];
    int8_t sign[16];
} gate2_t;

enum { GATE_CNOT = 0, GATE_CZ = 1 };

static const gate2_t GATE2[2] = {
    {{0, 1, 14, 15, 5, 4, 11, 10, 9, 8, 7, 6, 12, 13, 2, 3},
     {1, 1, 1, 1, 1, 1, 1, -1, 1, 1, -1, 1, 1, 1, 1, 1}},
    {{0, 13, 14, 3, 7, 10, 9, 4, 11, 6, 5, 8, 12, 1, 2, 15},
     {1, 1, 1, 1, 1, 1, -1, 1, 1, -1, 1, 1, 1, 1, 1, 1}},
};

/* The gate with j as first qubit (control), then depolarising of probability p on both. */
static void vector_gate2(vector_t *v, int j, int k, const gate2_t *g, double p) {
    size_t sj = stride_of(v, j), sk = stride_of(v, k), total = size4(v->n);
    double in[16], keep = 1 - p;
    for (size_t base = 0; base < total; base++) {
        if ((base / sj) % 4 || (base / sk) % 4) continue;
        for (int i = 0; i < 16; i++) in[i] = v->R[base + (size_t)(i >> 2) * sj + (size_t)(i & 3) * sk];
        for (int i = 1; i < 16; i++)
            v->R[base + (size_t)(i >> 2) * sj + (size_t)(i & 3) * sk] =
                keep * g->sign[i] * in[g->image[i]];
    }
}

/* out = a x b; the members of a come first. */
static void vector_join(const vector_t *a, const vector_t *b, vector_t *out) {
    size_t na = size4(a->n), nb = size4(b->n);
    for (size_t i = 0; i < na; i++)
        for (size_t j = 0; j < nb; j++) out->R[i * nb + j] = a->R[i] * b->R[j];
    memcpy(out->m, a->m, (size_t)a->n * sizeof *a->m);
    memcpy(out->m + a->n, b->m, (size_t)b->n * sizeof *b->m);
    out->n = a->n + b->n;
}

#define PRODUCT_TOLERANCE 1e-14 /* correlations below are rounding */

/* The qubits that are in one component with the first, as the bits of their letters in an index.
 * Whatever correlates a set that is too small with the rest does so already, with fewest letters
 * there, within the component: factors of the state outside it could be left out. */
static size_t vector_component(const vector_t *v) {
    const size_t all = size4(v->n) - 1, ones = all / 3;
    size_t in = (size_t)3 << (2 * (v->n - 1));
    while (in != all) {
        size_t found = 0;
        int fewest = MAX_VECTOR;
        for (size_t p = 1; p <= all && fewest > 1; p++) {
            size_t out = (p | p >> 1) & ones & ~in; /* a bit for each letter outside */
            if (!out || fabs(v->R[p] - v->R[p & in] * v->R[p & ~in]) <= PRODUCT_TOLERANCE) continue;
            int letters = __builtin_popcountll(out);
            if (letters < fewest || !found) {
                fewest = letters;
                found = out;
            }
        }
        if (!found) break;
        in |= 3 * found;
    }
    return in;
}

/* The reduced state of the qubits whose letters are in `keep`; `out` may be `in`. */
static void vector_reduce(const vector_t *in, size_t keep, vector_t *out) {
    size_t o = 0, all = size4(in->n) - 1;
    int count = 0;
    for (size_t p = 0; p <= all; p++)
        if (!(p & ~keep)) out->R[o++] = in->R[p];
    for (int k = 0; k < in->n; k++)
        if (keep >> (2 * (in->n - 1 - k)) & 1) out->m[count++] = in->m[k];
    out->n = count;
}

static void remove_member(vector_t *v, int k) {
    memmove(v->m + k, v->m + k + 1, (size_t)(v->n - 1 - k) * sizeof *v->m);
    v->n--;
}

/* out = sum over P of w[P] in[P at qubit k], normalised to out[0] = 1; `out` may be `in`.
 * A measurement has w = (1, +-axis), the partial trace w = (1, 0, 0, 0). */
static void vector_contract(const vector_t *in, int k, const double *w, vector_t *out) {
    size_t s = stride_of(in, k), total = size4(in->n), o = 0;
    double norm = 1 / (in->R[0] + w[1] * in->R[s] + w[2] * in->R[2 * s] + w[3] * in->R[3 * s]);
    for (size_t base = 0; base < total; base += 4 * s)
        for (size_t i = base; i < base + s; i++)
            out->R[o++] = norm * (in->R[i] + w[1] * in->R[i + s] + w[2] * in->R[i + 2 * s] +
                                  w[3] * in->R[i + 3 * s]);
    out->R[0] = 1;
    if (out != in) memcpy(out->m, in->m, sizeof in->m);
    out->n = in->n;
    remove_member(out, k);
}

/* out = sum over P of w[P] a[P at j] b[P at k], the members of a first, normalised. */
static void vector_fuse(const vector_t *a, int j, const vector_t *b, int k, const double *w,
                        vector_t *out) {
    size_t sa = stride_of(a, j), sb = stride_of(b, k), na = size4(a->n), nb = size4(b->n), o = 0;
    for (size_t ba = 0; ba < na; ba += 4 * sa)
        for (size_t i = ba; i < ba + sa; i++)
            for (size_t bb = 0; bb < nb; bb += 4 * sb)
                for (size_t l = bb; l < bb + sb; l++) {
                    double sum = 0;
                    for (size_t p = 0; p < 4; p++) sum += w[p] * a->R[i + p * sa] * b->R[l + p * sb];
                    out->R[o++] = sum;
                }
    double norm = 1 / out->R[0];
    for (size_t i = 0; i < o; i++) out->R[i] *= norm;
    out->R[0] = 1;
    vector_t left = *a, right = *b;
    remove_member(&left, j);
    remove_member(&right, k);
    memcpy(out->m, left.m, (size_t)left.n * sizeof *left.m);
    memcpy(out->m + left.n, right.m, (size_t)right.n * sizeof *right.m);
    out->n = left.n + right.n;
}

/* The same within one state: out = sum over P of w[P] in[P at j, P at k]; `out` may be `in`. */
static void vector_close(const vector_t *in, int j, int k, const double *w, vector_t *out) {
    size_t sj = stride_of(in, j), sk = stride_of(in, k), total = size4(in->n), o = 0;
    double norm = 0;
    for (size_t base = 0; base < total; base++) {
        if ((base / sj) % 4 || (base / sk) % 4) continue;
        double sum = 0;
        for (size_t p = 0; p < 4; p++) sum += w[p] * in->R[base + p * (sj + sk)];
        if (o == 0) norm = 1 / sum;
        out->R[o++] = sum * norm;
    }
    out->R[0] = 1;
    if (out != in) memcpy(out->m, in->m, sizeof in->m);
    out->n = in->n;
    remove_member(out, j > k ? j : k);
    remove_member(out, j > k ? k : j);
}

#endif
