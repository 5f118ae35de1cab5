/* The benchmark's cycle written by hand for it alone: Bell-diagonal pairs as three floats, no
 * handles, no slots, nothing to look up. Same random numbers through the same interface. */
#include <math.h>
#include <stdint.h>

typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *);
    uint32_t (*next_uint32)(void *);
    double (*next_double)(void *);
    uint64_t (*next_raw)(void *);
} bitgen;

void cycles(int64_t n, const int64_t *age1_ps, const int64_t *age2_ps, double t2_ps, double w,
            bitgen *rng, int8_t *outcome, int8_t *bit_a, int8_t *bit_d) {
    for (int64_t i = 0; i < n; i++) {
        double x1 = w, y1 = -w, z1 = w, x2 = w, y2 = -w, z2 = w;
        double e1 = exp(-(double)age1_ps[i] / t2_ps), e2 = exp(-(double)age2_ps[i] / t2_ps);
        x1 *= e1, y1 *= e1, x2 *= e2, y2 *= e2; /* the measured halves */
        int k = (int)(4 * rng->next_double(rng->state));
        double x = x1 * x2, y = -y1 * y2, z = z1 * z2;
        if (k & 1) x = -x, y = -y;
        if (k & 2) z = -z, y = -y;
        e1 = exp(-(double)age1_ps[i] / t2_ps); /* the far halves, at their own measurement */
        x *= e1, y *= e1;
        int a = rng->next_double(rng->state) >= 0.5;
        double bx = a ? -x : x;
        e2 = exp(-(double)age2_ps[i] / t2_ps);
        bx *= e2;
        int d = rng->next_double(rng->state) >= (1 + bx) / 2;
        outcome[i] = (int8_t)k, bit_a[i] = (int8_t)a, bit_d[i] = (int8_t)d;
    }
}
