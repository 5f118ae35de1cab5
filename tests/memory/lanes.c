/* What test_portable.py compiles with several compilers: bursts of Bell-diagonal pairs, relaxing or
 * not, swapped and measured with noise. Prints the sum of fidelities bit by bit, a hash of all
 * outcomes and the number of qubits left. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>

#include "qplane_cext/memory/engine.h"
#include "qplane_cext/memory/burst.h"

#define MOST 200

static uint64_t state = 88172645463325252ull;

static uint64_t next64(void *unused) { /* Marsaglia 2003, xorshift64 */
    (void)unused;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}
static uint32_t next32(void *unused) { return (uint32_t)next64(unused); }
static double next_double(void *unused) { return (double)(next64(unused) >> 11) * 0x1p-53; }

static uint64_t hash = 1469598103934665603ull; /* FNV-1a */
static double fidelities;

static int cycle(qm_t *m, bitgen_t *rng, int n, int profile) {
    const gate_noise_t noise = {0.01, 0.002, 0.003};
    const int64_t now = 1000000000;
    const double w = (4 * 0.9 - 1) / 3, axis[3] = {1, 0, 0};
    qm_handle h[4][MOST];
    int64_t born[2][MOST];
    int8_t frame[MOST], x[MOST], y[MOST];
    double R[16] = {1}, scratch[7 * (MOST + LANES)];
    record_t like;
    R[5] = R[15] = w;
    R[10] = -w;
    if (!compact_like(m, R, profile, profile, &like)) return 1;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < n; i++) born[k][i] = (int64_t)(next64(NULL) % (uint64_t)now);
        if (burst_create_pairs(m, &m->arena, n, born[k], 1, all_bits(born[k], n), &like, R, 0,
                               profile, profile, h[2 * k], h[2 * k + 1]))
            return 2;
    }
    burst_t b = {.m = m, .arena = &m->arena, .n = n, .operands = 2, .max_qubits = 2};
    b.xy = scratch;
    b.z = scratch + 2 * n;
    b.o[0] = (operand_t){h[1], &now, 0};
    b.o[1] = (operand_t){h[2], &now, 0};
    if (burst_swap(&b, &noise, rng, frame)) return 3;
    for (int i = 0; i < n; i++) {
        double f;
        if (qm_peek_fidelity(m, h[0][i], now, h[3][i], now, frame[i], &f)) return 4;
        fidelities += f;
    }
    b.pairs = 1;
    b.o[0].h = h[0];
    b.o[1].h = h[3];
    if (burst_measure_pairs(&b, axis, 0.003, rng, x, y)) return 5;
    for (int i = 0; i < n; i++) {
        hash ^= (uint64_t)(4 * frame[i] + 2 * x[i] + y[i]);
        hash *= 1099511628211ull;
    }
    return 0;
}

int main(void) {
    bitgen_t rng = {NULL, next64, next32, next_double, next64};
    qm_t *m = qm_new(4096, 0);
    int dephasing = add_profile(m, INFINITY, 2e-3, 0, 0), relaxing = add_profile(m, 5e-3, 2e-3, 0, 1);
    for (int round = 0; round < 400; round++) {
        int code = cycle(m, &rng, 1 + 7 * round % MOST, round & 1 ? relaxing : dephasing);
        if (code) return code;
    }
    printf("%a %016llx %lld\n", fidelities, (unsigned long long)hash,
           (long long)(m->live + m->arena.live));
    qm_delete(m);
    return 0;
}
