/* Stabilizer states of many qubits: generators and a Pauli frame.
 *
 * Row r of n is the generator (-1)^sign prod_q i^{x z} X^x Z^z (so x = z = 1 is Y). The state is
 * F |generators>, F the Pauli frame: Pauli gates and sampled Pauli noise only touch F. There are no
 * destabilizers: a measured qubit leaves the tableau at once, so rows shrink with the state.
 * Row operations follow Aaronson and Gottesman 2004; the phase of a product is summed per word as
 * in Gidney 2021 (Stim). Members m[] are slot indices.
 */
#ifndef QPLANE_MEMORY_TABLEAU_H
#define QPLANE_MEMORY_TABLEAU_H

#include "qplane_cext/memory/vector.h"

#define MAX_TABLEAU 4096

/* Three qubits or more, or a tableau on purpose: a Pauli vector (words = 0) or a tableau. */
typedef struct big {
    int n, words;
    uint32_t *m;
    double *R;                  /* 4^n */
    uint64_t *x, *z, *fx, *fz;  /* n rows of `words`; frame of `words` */
    uint8_t *sign;
} big_t;

static big_t *big_vector(int n) {
    size_t head = sizeof(big_t) + (size_t)n * sizeof(uint32_t) + 8;
    big_t *b = malloc(head + size4(n) * sizeof(double));
    if (!b) return NULL;
    b->n = n;
    b->words = 0;
    b->R = (double *)(b + 1);
    b->m = (uint32_t *)(b->R + size4(n));
    b->x = b->z = b->fx = b->fz = NULL;
    b->sign = NULL;
    return b;
}

static big_t *big_tableau(int n) {
    size_t w = ((size_t)n + 63) / 64, bits = (2 * (size_t)n + 2) * w;
    big_t *b = calloc(1, sizeof(big_t) + bits * 8 + (size_t)n * 5);
    if (!b) return NULL;
    b->n = n;
    b->words = (int)w;
    b->x = (uint64_t *)(b + 1);
    b->z = b->x + (size_t)n * w;
    b->fx = b->z + (size_t)n * w;
    b->fz = b->fx + w;
    b->m = (uint32_t *)(b->fz + w);
    b->sign = (uint8_t *)(b->m + n);
    return b;
}

static inline int get_bit(const uint64_t *row, int q) { return (int)(row[q >> 6] >> (q & 63)) & 1; }
static inline void flip_bit(uint64_t *row, int q, int on) {
    row[q >> 6] ^= (uint64_t)on << (q & 63);
}
static inline void put_bit(uint64_t *row, int q, int on) {
    flip_bit(row, q, get_bit(row, q) ^ on);
}

static inline uint64_t *row_x(const big_t *t, int r) { return t->x + (size_t)r * t->words; }
static inline uint64_t *row_z(const big_t *t, int r) { return t->z + (size_t)r * t->words; }

/* Multiplies x1, z1 by x2, z2 (commuting operators): 1 where the product has a minus sign. */
static inline int multiply_rows(uint64_t *x1, uint64_t *z1, const uint64_t *x2, const uint64_t *z2,
                                int words) {
    int ones = 0, twos = 0;
    for (int w = 0; w < words; w++) {
        uint64_t a = x1[w] & z2[w], anti = a ^ (x2[w] & z1[w]);
        x1[w] ^= x2[w];
        z1[w] ^= z2[w];
        if (!anti) continue; /* rows of Z alone, mostly */
        ones += __builtin_popcountll(anti);
        twos += __builtin_popcountll((x1[w] ^ z1[w] ^ a) & anti);
    }
    return ((ones + 2 * twos) >> 1) & 1;
}

static inline void add_row(big_t *t, int to, int from) {
    t->sign[to] ^= t->sign[from] ^
                   multiply_rows(row_x(t, to), row_z(t, to), row_x(t, from), row_z(t, from),
                                 t->words);
}

static void swap_rows(big_t *t, int a, int b) {
    if (a == b) return;
    for (int w = 0; w < t->words; w++) {
        uint64_t s = row_x(t, a)[w];
        row_x(t, a)[w] = row_x(t, b)[w];
        row_x(t, b)[w] = s;
        s = row_z(t, a)[w];
        row_z(t, a)[w] = row_z(t, b)[w];
        row_z(t, b)[w] = s;
    }
    uint8_t s = t->sign[a];
    t->sign[a] = t->sign[b];
    t->sign[b] = s;
}

/* ---- gates ---- */

static inline void tableau_pauli(big_t *t, int q, int x, int z) {
    flip_bit(t->fx, q, x);
    flip_bit(t->fz, q, z);
}

/* A one-qubit Clifford given as its rotation of the Bloch sphere (entries 0, 1, -1). */
static void tableau_rotate(big_t *t, int q, const double F[3][3]) {
    static const int X_BIT[3] = {1, 1, 0}, Z_BIT[3] = {0, 1, 1}; /* X, Y, Z */
    int nx[4] = {0}, nz[4] = {0}, minus[4] = {0};                /* by x + 2 z of the old */
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < 3; i++)
            if (F[i][p] != 0) {
                int old = X_BIT[p] + 2 * Z_BIT[p];
                nx[old] = X_BIT[i];
                nz[old] = Z_BIT[i];
                minus[old] = F[i][p] < 0;
            }
    for (int r = 0; r < t->n; r++) {
        int old = get_bit(row_x(t, r), q) + 2 * get_bit(row_z(t, r), q);
        put_bit(row_x(t, r), q, nx[old]);
        put_bit(row_z(t, r), q, nz[old]);
        t->sign[r] ^= (uint8_t)minus[old];
    }
    int old = get_bit(t->fx, q) + 2 * get_bit(t->fz, q);
    put_bit(t->fx, q, nx[old]);
    put_bit(t->fz, q, nz[old]);
}

static void tableau_gate2(big_t *t, int j, int k, int gate) {
    for (int r = 0; r <= t->n; r++) {
        uint64_t *x = r < t->n ? row_x(t, r) : t->fx, *z = r < t->n ? row_z(t, r) : t->fz;
        int xj = get_bit(x, j), zj = get_bit(z, j), xk = get_bit(x, k), zk = get_bit(z, k), minus;
        if (gate == GATE_CNOT) {
            minus = xj & zk & (xk ^ zj ^ 1);
            flip_bit(x, k, xj);
            flip_bit(z, j, zk);
        } else {
            minus = xj & xk & (zj ^ zk);
            flip_bit(z, j, xk);
            flip_bit(z, k, xj);
        }
        if (r < t->n) t->sign[r] ^= (uint8_t)minus;
    }
}

/* ---- measurement ---- */

/* Measures Z of qubit q: the outcome, `random` (0 or 1) where it is not determined. Afterwards
 * one row is +-Z_q alone and no other row touches q; that row's index is in *row. */
static int tableau_collapse(big_t *t, int q, int random, int *row) {
    int p = 0, n = t->n;
    while (p < n && !get_bit(row_x(t, p), q)) p++;
    if (p < n) {
        for (int r = p + 1; r < n; r++)
            if (get_bit(row_x(t, r), q)) add_row(t, r, p);
        memset(row_x(t, p), 0, (size_t)t->words * 8);
        memset(row_z(t, p), 0, (size_t)t->words * 8);
        flip_bit(row_z(t, p), q, 1);
        t->sign[p] = (uint8_t)(random ^ get_bit(t->fx, q)); /* of the state without its frame */
    } else {
        /* Z_q is a product of rows: eliminate all other columns, what is left over is Z_q */
        int rank = 0;
        for (int c = 0; c < 2 * n && rank < n; c++) {
            int col = c >> 1, by_z = c & 1, r = rank;
            if (col == q) continue;
            while (r < n && !get_bit(by_z ? row_z(t, r) : row_x(t, r), col)) r++;
            if (r == n) continue;
            swap_rows(t, r, rank);
            for (r = rank + 1; r < n; r++)
                if (get_bit(by_z ? row_z(t, r) : row_x(t, r), col)) add_row(t, r, rank);
            rank++;
        }
        p = n - 1; /* rank is n - 1 now: the last row has no support but q */
    }
    for (int r = 0; r < n; r++) { /* commutes with Z_q: no X there, so the product has no phase */
        if (r == p || !get_bit(row_z(t, r), q)) continue;
        flip_bit(row_z(t, r), q, 1);
        t->sign[r] ^= t->sign[p];
    }
    *row = p;
    return t->sign[p] ^ get_bit(t->fx, q);
}

static inline uint64_t move_bit(uint64_t word, int to, int from) {
    uint64_t bit = word >> from & 1;
    return (word & ~(1ull << from | 1ull << to)) | (to == from ? 0 : bit << to);
}

/* Drops qubit q, which row `row` alone touches; the last qubit takes its column. */
static void tableau_remove(big_t *t, int q, int row) {
    int last = t->n - 1;
    swap_rows(t, row, last);
    t->n = last;
    if (t->words == 1) {
        for (int r = 0; r < last; r++) {
            t->x[r] = move_bit(t->x[r], q, last);
            t->z[r] = move_bit(t->z[r], q, last);
        }
        t->fx[0] = move_bit(t->fx[0], q, last);
        t->fz[0] = move_bit(t->fz[0], q, last);
        t->m[q] = t->m[last];
        return;
    }
    for (int r = 0; r <= last; r++) {
        uint64_t *x = r < last ? row_x(t, r) : t->fx, *z = r < last ? row_z(t, r) : t->fz;
        put_bit(x, q, get_bit(x, last));
        put_bit(z, q, get_bit(z, last));
        put_bit(x, last, 0);
        put_bit(z, last, 0);
    }
    t->m[q] = t->m[last];
}

/* ---- joining and splitting ---- */

/* Copies n bits to a place of zeros. */
static void copy_bits(uint64_t *to, int offset, const uint64_t *from, int n) {
    int shift = offset & 63;
    to += offset >> 6;
    for (int w = 0; 64 * w < n; w++) {
        to[w] |= from[w] << shift;
        if (shift && from[w] >> (64 - shift)) to[w + 1] |= from[w] >> (64 - shift);
    }
}

static void copy_tableau(big_t *to, int offset, const big_t *from) {
    for (int r = 0; r < from->n; r++) {
        copy_bits(row_x(to, offset + r), offset, row_x(from, r), from->n);
        copy_bits(row_z(to, offset + r), offset, row_z(from, r), from->n);
        to->sign[offset + r] = from->sign[r];
    }
    copy_bits(to->fx, offset, from->fx, from->n);
    copy_bits(to->fz, offset, from->fz, from->n);
    memcpy(to->m + offset, from->m, (size_t)from->n * sizeof *to->m);
}

/* The product of two tableaus, or a copy of one where b is NULL. */
static big_t *tableau_join(const big_t *a, const big_t *b) {
    big_t *t = big_tableau(a->n + (b ? b->n : 0));
    if (!t) return NULL;
    copy_tableau(t, 0, a);
    if (b) copy_tableau(t, a->n, b);
    return t;
}

/* tableau_reduce() of at most 64 qubits, whose rows are one word each. */
static void reduce_narrow(big_t *t) {
    uint64_t *const x = t->x, *const z = t->z;
    uint8_t *const sign = t->sign;
    uint64_t any[2] = {0, 0}; /* columns that are not empty */
    int n = t->n, rank = 0;
    for (int r = 0; r < n; r++) {
        any[0] |= x[r];
        any[1] |= z[r];
    }
    for (int c = 0; c < 2 * n && rank < n; c++) {
        const uint64_t *rows = c & 1 ? z : x;
        uint64_t bit = 1ull << (c >> 1);
        int r = rank;
        if (!(any[c & 1] & bit)) continue;
        while (r < n && !(rows[r] & bit)) r++;
        if (r == n) continue;
        swap_rows(t, r, rank);
        for (r = 0; r < n; r++)
            if (r != rank && rows[r] & bit)
                sign[r] ^= sign[rank] ^ multiply_rows(&x[r], &z[r], &x[rank], &z[rank], 1);
        rank++;
    }
}

/* Reduced row echelon form over the columns x0, z0, x1, z1, ... It is unique, and the form of a
 * product state is that of its factors: no row crosses from one factor into another. */
static void tableau_reduce(big_t *t) {
    int rank = 0;
    if (t->words == 1) {
        reduce_narrow(t);
        return;
    }
    for (int c = 0; c < 2 * t->n && rank < t->n; c++) {
        int col = c >> 1, r = rank;
        uint64_t *rows = c & 1 ? t->z : t->x;
        while (r < t->n && !get_bit(rows + (size_t)r * t->words, col)) r++;
        if (r == t->n) continue;
        swap_rows(t, r, rank);
        for (r = 0; r < t->n; r++)
            if (r != rank && get_bit(rows + (size_t)r * t->words, col)) add_row(t, r, rank);
        rank++;
    }
}

/* Labels the entangled components 0, 1, ... in component[n] (of a reduced tableau). */
static int tableau_components(const big_t *t, int *component) {
    int count = 0;
    for (int q = 0; q < t->n; q++) component[q] = q;
    for (int changed = 1; changed;) { /* labels sink to the least qubit of each component */
        changed = 0;
        for (int r = 0; r < t->n; r++) {
            int least = t->n;
            for (int q = 0; q < t->n; q++)
                if ((get_bit(row_x(t, r), q) | get_bit(row_z(t, r), q)) && component[q] < least)
                    least = component[q];
            for (int q = 0; q < t->n; q++)
                if ((get_bit(row_x(t, r), q) | get_bit(row_z(t, r), q)) && component[q] != least) {
                    component[q] = least;
                    changed = 1;
                }
        }
    }
    for (int q = 0; q < t->n; q++) component[q] = component[q] == q ? count++ : component[component[q]];
    return count;
}

/* One component of a reduced tableau, as a tableau of its own. */
static big_t *tableau_part(const big_t *t, const int *component, int which) {
    int n = 0, rows = 0;
    for (int q = 0; q < t->n; q++) n += component[q] == which;
    big_t *part = big_tableau(n);
    if (!part) return NULL;
    for (int r = 0; r < t->n; r++) {
        int q = 0;
        while (!(get_bit(row_x(t, r), q) | get_bit(row_z(t, r), q))) q++;
        if (component[q] != which) continue;
        for (int i = 0, to = 0; i < t->n; i++) {
            if (component[i] != which) continue;
            put_bit(row_x(part, rows), to, get_bit(row_x(t, r), i));
            put_bit(row_z(part, rows), to++, get_bit(row_z(t, r), i));
        }
        part->sign[rows++] = t->sign[r];
    }
    for (int i = 0, to = 0; i < t->n; i++) {
        if (component[i] != which) continue;
        part->m[to] = t->m[i];
        put_bit(part->fx, to, get_bit(t->fx, i));
        put_bit(part->fz, to++, get_bit(t->fz, i));
    }
    return part;
}

/* ---- the same state as a Pauli vector (n <= MAX_VECTOR) ---- */

static void tableau_to_vector(const big_t *t, vector_t *v) {
    static const int LETTER[4] = {0, 1, 3, 2}; /* by x + 2 z: I, X, Z, Y */
    uint64_t x = 0, z = 0;
    int sign = 0;
    v->n = t->n;
    memcpy(v->m, t->m, (size_t)t->n * sizeof *t->m);
    memset(v->R, 0, size4(t->n) * sizeof(double));
    for (uint32_t i = 0;; i++) { /* every element of the group once, in Gray code order */
        size_t index = 0;
        for (int q = 0; q < t->n; q++)
            index = 4 * index + (size_t)LETTER[(x >> q & 1) + 2 * (z >> q & 1)];
        int flips = __builtin_popcountll(x & t->fz[0]) + __builtin_popcountll(z & t->fx[0]);
        v->R[index] = (sign ^ (flips & 1)) ? -1 : 1;
        if (i + 1 == 1u << t->n) return;
        int r = __builtin_ctz(i + 1);
        sign ^= t->sign[r] ^ multiply_rows(&x, &z, row_x(t, r), row_z(t, r), 1);
    }
}

/* The generators of a pure stabilizer state; NULL where the vector is not one. */
static big_t *vector_to_tableau(const vector_t *v) {
    size_t found = 0, total = size4(v->n);
    for (size_t i = 0; i < total; i++) {
        double a = fabs(v->R[i]);
        if (a > 1e-12 && fabs(a - 1) > 1e-12) return NULL;
        found += a > 0.5;
    }
    if (found != (size_t)1 << v->n) return NULL;
    big_t *t = big_tableau(v->n);
    if (!t) return NULL;
    uint64_t basis[2 * MAX_VECTOR] = {0}; /* leading bit -> element of the span */
    int rows = 0;
    for (size_t i = 1; i < total && rows < v->n; i++) {
        if (fabs(v->R[i]) < 0.5) continue;
        uint64_t rest = i; /* letters I 00, X 01, Y 10, Z 11: products are not XORs of indices */
        uint64_t x = 0, z = 0;
        for (int q = 0; q < v->n; q++) {
            int letter = (int)(i >> (2 * (v->n - 1 - q))) & 3;
            x |= (uint64_t)(letter == 1 || letter == 2) << q;
            z |= (uint64_t)(letter >= 2) << q;
        }
        rest = x << v->n | z;
        for (int b = 2 * v->n - 1; b >= 0 && rest; b--) {
            if (!(rest >> b & 1)) continue;
            if (!basis[b]) {
                basis[b] = rest;
                t->x[rows] = x;
                t->z[rows] = z;
                t->sign[rows++] = v->R[i] < 0;
                break;
            }
            rest ^= basis[b];
        }
    }
    memcpy(t->m, v->m, (size_t)v->n * sizeof *v->m);
    return t;
}

#endif
