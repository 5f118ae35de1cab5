/* Bursts on Bell-diagonal pairs that records hold: blocks of up to 64 elements, each quantity in an
 * array of its own, so that compilers make vector instructions of the loops.
 *
 * Each verb has two passes. The first reads and checks the records, marks them and does the
 * arithmetic, into the burst's scratch; the second draws random numbers and writes. What the first
 * pass does not take (another form, halves of one pair in two elements, anything wrong) is left as
 * it was, all of the burst, to the passes of burst.h.
 *
 * A chance is decided by 16 random bits, and by a draw of its own in the one case in 65536 in which
 * these bits alone leave it open: exact, at a quarter of a draw.
 */
#ifndef QPLANE_MEMORY_LANES_H
#define QPLANE_MEMORY_LANES_H

#include "qplane_cext/memory/measure.h"

#define LANES 64
/* ---- numbers ---- */

/* A whole number below 2^51 as a double: the conversion of AVX-512, for everyone. */
INLINE double small_double(uint64_t k) {
    double x;
    k |= 0x4330000000000000u;
    memcpy(&x, &k, 8);
    return x - 0x1p52;
}

INLINE double correlation_steps(uint64_t word) { /* of a compact record's word, in units of STEP */
    double x;
    word = (word >> 16 ^ 1ull << 47) | 0x4330000000000000u;
    memcpy(&x, &word, 8);
    return x - (0x1p52 + 0x1p47);
}

INLINE uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}

INLINE double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

/* The bits of a word, one to a byte. */
INLINE void toss_lanes(uint64_t word, int n, int8_t *bits) {
    uint64_t lane[LANES];
    for (uint64_t i = 0; i < LANES; i++) lane[i] = word >> i & 1;
    for (int i = 0; i < n; i++) bits[i] = (int8_t)lane[i];
}

/* hit[i]: an event of chance scaled[i] / 65536 happens. */
INLINE void decide_lanes(const double *scaled, int n, bitgen_t *rng, uint64_t *hit) {
    uint64_t words[LANES / 4], open = 0;
    double u[LANES + LANES / 4];
    int count = (n + 3) / 4;
    for (int k = 0; k < count; k++) words[k] = rng->next_uint64(rng->state);
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < count; k++)
            u[j * count + k] = small_double(words[k] >> (16 * j) & 0xffff);
    for (int i = 0; i < n; i++) {
        hit[i] = u[i] + 1 <= scaled[i];
        open |= (uint64_t)(u[i] < scaled[i]) ^ hit[i];
    }
    for (int i = 0; open && i < n; i++)
        if (!hit[i] && u[i] < scaled[i]) hit[i] = draw(rng) < scaled[i] - u[i];
}

/* ---- records to lanes and back ---- */

typedef uint64_t four_t __attribute__((vector_size(32)));

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#endif
#endif
#ifndef SHUFFLE
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (four_t){i, j, k, l})
#endif

INLINE void transpose(four_t *r) {
    four_t a = SHUFFLE(r[0], r[1], 0, 4, 2, 6), b = SHUFFLE(r[0], r[1], 1, 5, 3, 7);
    four_t c = SHUFFLE(r[2], r[3], 0, 4, 2, 6), d = SHUFFLE(r[2], r[3], 1, 5, 3, 7);
    r[0] = SHUFFLE(a, c, 0, 1, 4, 5);
    r[1] = SHUFFLE(b, d, 0, 1, 4, 5);
    r[2] = SHUFFLE(a, c, 2, 3, 6, 7);
    r[3] = SHUFFLE(b, d, 2, 3, 6, 7);
}

typedef struct { /* the words of up to LANES records, and where those begin, padded with record 0 */
    uint64_t w[4][LANES], at[LANES]; /* bytes from the first */
} __attribute__((aligned(64))) lanes_t;

INLINE record_t *lane_record(const qm_t *m, const lanes_t *r, int i) {
    return (record_t *)((char *)m->records + r->at[i]);
}

/* The records of n handles; record 0, which is always free, for nonsense. */
INLINE void find(const qm_t *m, const qm_handle *h, int n, lanes_t *out) {
    const uint64_t capacity = m->capacity;
    for (int i = 0; i < n; i++) {
        uint64_t rec = (h[i] & 0xffffffffu) >> 1;
        out->at[i] = rec <= capacity ? rec * sizeof(record_t) : 0;
    }
    for (int i = n; i & 3; i++) out->at[i] = 0;
}

INLINE void gather(const qm_t *m, int n, lanes_t *out) {
    for (int i = 0; i < n; i += 4) {
        four_t r[4];
        for (int j = 0; j < 4; j++) memcpy(&r[j], lane_record(m, out, i + j), sizeof *r);
        transpose(r);
        for (int j = 0; j < 4; j++) memcpy(&out->w[j][i], &r[j], sizeof *r);
    }
}

INLINE void scatter(const qm_t *m, int n, const lanes_t *in) {
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        four_t r[4];
        for (int j = 0; j < 4; j++) memcpy(&r[j], &in->w[j][i], sizeof *r);
        transpose(r);
        for (int j = 0; j < 4; j++) memcpy(lane_record(m, in, i + j), &r[j], sizeof *r);
    }
    for (; i < n; i++)
        for (int j = 0; j < 4; j++) lane_record(m, in, i)->w[j] = in->w[j][i];
}

/* Asks for the records of the block after this one; `rest`: handles that there are from here on. */
INLINE void ask_ahead(const qm_t *m, const qm_handle *h, int64_t rest) {
    const int64_t end = rest < 2 * LANES ? rest : 2 * LANES;
    for (int64_t i = LANES; i < end; i++) __builtin_prefetch(&m->records[(uint32_t)h[i] >> 1], 1);
}

/* ---- reading ---- */

INLINE void times_of(const int64_t *now_ps, int64_t step, int n, uint64_t *now) {
    if (step)
        memcpy(now, now_ps, (size_t)n * sizeof *now);
    else
        for (int i = 0; i < n; i++) now[i] = (uint64_t)*now_ps;
}

typedef struct { /* rates of decay in a block; only [0] where they are all the same */
    double one[LANES], two[LANES];
    int same, relax; /* relax: some T1 is finite */
} rates_t;

INLINE uint64_t lane_profile(uint64_t w0, qm_handle h, int split) { /* no shift by a variable */
    uint64_t a = w0 >> 34, b = w0 >> 45;
    return split ? a & 32767u : (a ^ ((a ^ b) & -(h & 1))) & 2047u;
}

/* The rates of n halves by their records' first words. */
INLINE void rates_of(const qm_t *m, const uint64_t *w0, const qm_handle *h, int split, int n,
                     rates_t *out) {
    const uint64_t profiles = (split ? 0x7fffull : 0x3fffffull) << 34;
    uint64_t differ = 0;
    for (int i = 0; i < n; i++)
        differ |= ((w0[i] ^ w0[0]) & profiles) | (split ? 0 : (h[i] ^ h[0]) & 1);
    const profile_t *p = &m->profiles[lane_profile(w0[0], h[0], split)];
    out->one[0] = p->rate1;
    out->two[0] = p->rate2;
    out->relax = p->rate1 != 0;
    out->same = !differ;
    for (int i = 0; differ && i < n; i++) {
        p = &m->profiles[lane_profile(w0[i], h[i], split)];
        out->one[i] = p->rate1;
        out->two[i] = p->rate2;
        out->relax |= p->rate1 != 0;
    }
}

/* The decays over both halves' ages. */
INLINE void decays(rates_t rates[2], double age[2][LANES], int n, double *xy, double *z) {
    rates_t *a = &rates[0], *b = &rates[1];
    const int relax = a->relax | b->relax;
    if (a->same & b->same) {
        const double two[2] = {a->two[0], b->two[0]}, one[2] = {a->one[0], b->one[0]};
        for (int i = 0; i < n; i++) xy[i] = age[0][i] * two[0] + age[1][i] * two[1];
        for (int i = 0; relax && i < n; i++) z[i] = age[0][i] * one[0] + age[1][i] * one[1];
    } else {
        for (int k = 0; k < 2; k++)
            for (int i = 1; rates[k].same && i < n; i++) {
                rates[k].one[i] = rates[k].one[0];
                rates[k].two[i] = rates[k].two[0];
            }
        for (int i = 0; i < n; i++) xy[i] = age[0][i] * a->two[i] + age[1][i] * b->two[i];
        for (int i = 0; relax && i < n; i++) z[i] = age[0][i] * a->one[i] + age[1][i] * b->one[i];
    }
    for (int i = 0; i < n; i++) xy[i] = exp_minus(xy[i]);
    for (int i = 0; relax && i < n; i++) z[i] = exp_minus(z[i]);
    for (int i = 0; !relax && i < n; i++) z[i] = 1;
}

/* What must be 0 of a record's first word: that it is this handle's, and of this kind. */
INLINE uint64_t misfit(uint64_t w0, qm_handle h, uint64_t kind) {
    return (w0 ^ (h >> 32 | kind << 32)) & 0x3ffffffffull;
}

INLINE uint64_t clock_lane(const lanes_t *r, int i) { /* of compact records */
    return (r->w[0][i] >> 56 & 31) << 48 | (r->w[3][i] & 0xffff) << 32 |
           (r->w[2][i] & 0xffff) << 16 | (r->w[1][i] & 0xffff);
}

#define AGE_BITS 51 /* of an age that is taken here: 37 minutes */

INLINE double age_of(uint64_t t) { return small_double(t & ((1ull << AGE_BITS) - 1)); }

#define COMPACT_MARKS (MARK | MARK >> 1)

/* Marks a block's records, which had no mark when they were read: a half's in word 0, or word 1. 0
 * where a record comes twice, with both halves of a compact one too; then too all are marked. */
INLINE int mark_lanes(const qm_t *m, const qm_handle *h, int n, const lanes_t *r, int word) {
    uint64_t seen = 0, marked[LANES];
    for (int i = 0; i < n; i++)
        marked[i] = r->w[word][i] | (word ? MARK : (1 + (h[i] & 1)) << 62);
    for (int i = 0; i < n; i++) {
        uint64_t *w = &lane_record(m, r, i)->w[word];
        seen |= *w;
        *w = marked[i];
    }
    return (seen & (word ? MARK : COMPACT_MARKS)) == 0;
}

static void unmark_lanes(const qm_t *m, const qm_handle *h, int64_t n, int word) {
    for (int64_t i = 0; i < n; i++)
        m->records[(uint32_t)h[i] >> 1].w[word] &= ~(word ? MARK : COMPACT_MARKS);
}

/* ---- creation ---- */

WIDE static int64_t all_bits(const int64_t *x, int64_t n) {
    int64_t bits = 0;
    for (int64_t i = 0; i < n; i++) bits |= x[i];
    return bits;
}

INLINE void create_block(const qm_t *m, const uint32_t *item, const record_t base,
                         const int64_t *now_ps, int64_t step, int n, qm_handle *ha,
                         qm_handle *hb) {
    uint64_t now[LANES];
    lanes_t r;
    times_of(now_ps, step, n, now);
    for (int i = 0; i < n; i++) r.at[i] = item[n - 1 - i] * sizeof(record_t);
    for (int i = 0; i < n; i++) r.w[0][i] = lane_record(m, &r, i)->w[0];
    for (int i = 0; i < n; i++) {
        uint64_t g = (r.w[0][i] + 1) & 0xffffffffu;
        g += !g;
        r.w[0][i] = g | base.w[0] | now[i] >> 48 << 56;
        r.w[1][i] = base.w[1] | (now[i] & 0xffff);
        r.w[2][i] = base.w[2] | (now[i] >> 16 & 0xffff);
        r.w[3][i] = base.w[3] | (now[i] >> 32 & 0xffff);
        ha[i] = g << 32 | r.at[i] / (sizeof(record_t) / 2);
        hb[i] = g << 32 | r.at[i] / (sizeof(record_t) / 2) | 1;
    }
    scatter(m, n, &r);
}

/* Up to n compact pairs like `like`, whose clock is 0, with this rest where they have one: their
 * number; 0: the memory is full. */
WIDE static int64_t create_lanes(qm_t *m, arena_t *a, const record_t *like, const rest_t *rest,
                                 const int64_t *now_ps, int64_t step, int64_t n, qm_handle *ha,
                                 qm_handle *hb) {
    magazine_t *free = &a->records;
    if (!free->count && !refill(m, a, free, &m->free_records)) return 0;
    int c = n < LANES ? (int)n : LANES;
    if ((uint32_t)c > free->count) c = (int)free->count;
    const uint32_t *item = free->item + free->count - c;
    if (c == LANES)
        create_block(m, item, *like, now_ps, step, LANES, ha, hb);
    else
        create_block(m, item, *like, now_ps, step, c, ha, hb);
    for (int i = 0; rest && i < c; i++) m->rests[item[i]] = *rest;
    free->count -= (uint32_t)c;
    a->live += 2 * c;
    return c;
}

/* ---- swap of compact pairs ---- */

typedef struct { /* scratch of a block of swaps; [0] left, [1] right */
    uint64_t w0[2][LANES], clock[2][LANES];
    double v[3][LANES]; /* of the new pair, but for the signs that the outcome gives */
} swap_lanes_t;

/* Reads one operand of a block: what must be 0. */
INLINE uint64_t read_compact(const qm_t *m, const qm_handle *h, int n, int64_t rest,
                             const uint64_t *now, lanes_t *r, uint64_t *w0, uint64_t *clock,
                             double *age) {
    uint64_t bad = 0;
    find(m, h, n, r);
    gather(m, n, r);
    ask_ahead(m, h, rest);
    for (int i = 0; i < n; i++) {
        w0[i] = r->w[0][i];
        clock[i] = clock_lane(r, i);
        uint64_t t = now[i] - clock[i];
        bad |= misfit(w0[i], h[i], REC_COMPACT) | w0[i] >> 61 | t >> AGE_BITS;
        age[i] = age_of(t);
    }
    return bad;
}

/* The first pass over one block; 0 where it has left the block as it was. */
INLINE int swap_block_read(const qm_t *m, const qm_handle *left, const qm_handle *right, int n,
                           int64_t rest, const int64_t *now_ps, int64_t step, double two,
                           double both, swap_lanes_t *out) {
    uint64_t now[LANES];
    double age[2][LANES], xy[LANES], z[LANES];
    rates_t rates[2];
    lanes_t l, r;
    times_of(now_ps, step, n, now);
    uint64_t bad = read_compact(m, left, n, rest, now, &l, out->w0[0], out->clock[0], age[0]);
    bad |= read_compact(m, right, n, rest, now, &r, out->w0[1], out->clock[1], age[1]);
    if (bad) return 0;
    if (!(mark_lanes(m, left, n, &l, 0) & mark_lanes(m, right, n, &r, 0))) {
        unmark_lanes(m, left, n, 0);
        unmark_lanes(m, right, n, 0);
        return 0;
    }
    rates_of(m, out->w0[0], left, 0, n, &rates[0]);
    rates_of(m, out->w0[1], right, 0, n, &rates[1]);
    decays(rates, age, n, xy, z);
    for (int j = 0; j < 3; j++) { /* steps are powers of two: to multiply by them last is exact */
        const double *decay = j < 2 ? xy : z, scale = (j < 2 ? both : two) * (STEP * STEP);
        for (int i = 0; i < n; i++)
            out->v[j][i] = correlation_steps(l.w[1 + j][i]) * correlation_steps(r.w[1 + j][i]) *
                           decay[i] * scale;
    }
    return 1;
}

/* The first pass over all blocks; 0 where it has left everything as it was. */
WIDE static int swap_lanes_read(const qm_t *m, const qm_handle *left, const qm_handle *right,
                                const int64_t *now_ps, int64_t step, int64_t n,
                                const gate_noise_t *g, swap_lanes_t *out) {
    const double two = 1 - g->two_qubit_error, both = two * (1 - g->one_qubit_error);
    for (int64_t at = 0; at < n; at += LANES, out++) {
        const qm_handle *l = left + at, *r = right + at;
        const int64_t rest = n - at, *now = now_ps + at * step;
        if (rest < LANES ? swap_block_read(m, l, r, (int)rest, rest, now, step, two, both, out)
                         : swap_block_read(m, l, r, LANES, rest, now, step, two, both, out))
            continue;
        unmark_lanes(m, left, at, 0);
        unmark_lanes(m, right, at, 0);
        return 0;
    }
    return 1;
}

/* The first two words of a swap's far half, h: its record's, now that h has it to itself. */
INLINE uint64_t far_half(uint64_t w0, uint64_t h, uint64_t role) {
    return (w0 & 0xffffffffu) | (uint64_t)REC_SPLIT << 32 |
           lane_profile(w0, h, 0) << 34 | (h & 1) << 49 | role << 50;
}

INLINE void swap_block_write(const qm_t *m, const qm_handle *left, const qm_handle *right, int n,
                             bitgen_t *rng, const swap_lanes_t *in, int8_t *outcomes) {
    const uint64_t phases = rng->next_uint64(rng->state), flips = rng->next_uint64(rng->state);
    lanes_t l, r;
    int8_t flip[LANES];
    find(m, left, n, &l);
    find(m, right, n, &r);
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        uint64_t z = phases >> i << 63, x = flips >> i << 63; /* signs */
        uint64_t a = (left[i] & 0xffffffffu) ^ 1, b = (right[i] & 0xffffffffu) ^ 1;
        uint64_t zz = bits_of(in->v[2][i]) ^ x;
        l.w[0][i] = far_half(in->w0[0][i], a, 0);
        r.w[0][i] = far_half(in->w0[1][i], b, 1);
        l.w[1][i] = in->clock[0][i];
        r.w[1][i] = in->clock[1][i];
        l.w[2][i] = bits_of(in->v[0][i]) ^ z;
        r.w[2][i] = bits_of(in->v[1][i]) ^ x ^ z ^ 1ull << 63;
        l.w[3][i] = b | zz << 32;
        r.w[3][i] = a | (zz & 0xffffffff00000000u);
    }
    scatter(m, n, &l);
    scatter(m, n, &r);
    toss_lanes(phases, n, outcomes);
    toss_lanes(flips, n, flip);
    for (int i = 0; i < n; i++) outcomes[i] += (int8_t)(2 * flip[i]);
}

/* The second pass: the far halves of each element become a split pair. */
WIDE static void swap_lanes_write(const qm_t *m, const qm_handle *left, const qm_handle *right,
                                  int64_t n, double readout_error, bitgen_t *rng,
                                  const swap_lanes_t *in, int8_t *outcomes) {
    for (int64_t at = 0; at < n; at += LANES, in++) {
        int c = n - at < LANES ? (int)(n - at) : LANES;
        if (c == LANES)
            swap_block_write(m, left + at, right + at, LANES, rng, in, outcomes + at);
        else
            swap_block_write(m, left + at, right + at, c, rng, in, outcomes + at);
        if (readout_error == 0) continue;
        double chance[LANES];
        uint64_t wrong[2][LANES];
        for (int i = 0; i < c; i++) chance[i] = 65536 * readout_error;
        decide_lanes(chance, c, rng, wrong[0]);
        decide_lanes(chance, c, rng, wrong[1]);
        for (int i = 0; i < c; i++) outcomes[at + i] ^= (int8_t)(wrong[0][i] + 2 * wrong[1][i]);
    }
}

/* ---- measurement of both ends ---- */

typedef struct { /* a block of pairs: correlations, and both halves' ages and rates */
    double v[3][LANES], age[2][LANES];
    rates_t rates[2];
} pair_lanes_t;

/* Reads a block of compact pairs: what must be 0. */
INLINE uint64_t read_whole(const qm_t *m, const qm_handle *ha, const qm_handle *hb, int n,
                           int64_t rest, const uint64_t *now, lanes_t *r, pair_lanes_t *p) {
    uint64_t bad = 0;
    find(m, ha, n, r);
    gather(m, n, r);
    ask_ahead(m, ha, rest);
    for (int i = 0; i < n; i++) {
        uint64_t w0 = r->w[0][i], t = now[i] - clock_lane(r, i);
        bad |= misfit(w0, ha[i], REC_COMPACT) | w0 >> 61 | t >> AGE_BITS | (ha[i] ^ hb[i] ^ 1);
        p->age[0][i] = p->age[1][i] = age_of(t);
    }
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < n; i++) p->v[j][i] = correlation_steps(r->w[1 + j][i]) * STEP;
    if (bad) return bad;
    rates_of(m, r->w[0], ha, 0, n, &p->rates[0]);
    rates_of(m, r->w[0], hb, 0, n, &p->rates[1]);
    return 0;
}

/* The same of pairs that are split over two records. */
INLINE uint64_t read_split(const qm_t *m, const qm_handle *ha, const qm_handle *hb, int n,
                           int64_t rest, const uint64_t *now, lanes_t *r, pair_lanes_t *p) {
    uint64_t bad = 0;
    lanes_t s;
    find(m, ha, n, r);
    find(m, hb, n, &s);
    gather(m, n, r);
    gather(m, n, &s);
    ask_ahead(m, ha, rest);
    ask_ahead(m, hb, rest);
    for (int i = 0; i < n; i++) {
        uint64_t t = now[i] - r->w[1][i], u = now[i] - s.w[1][i];
        bad |= misfit(r->w[0][i], ha[i], REC_SPLIT) | misfit(s.w[0][i], hb[i], REC_SPLIT) |
               ((r->w[0][i] >> 49 ^ ha[i]) & 1) | ((s.w[0][i] >> 49 ^ hb[i]) & 1) |
               ((r->w[3][i] ^ hb[i]) & 0xffffffffu) | (r->w[0][i] & REST) | (t | u) >> AGE_BITS |
               (r->w[1][i] | s.w[1][i]) >> 63;
        p->age[0][i] = age_of(t);
        p->age[1][i] = age_of(u);
    }
    if (bad) return bad;
    rates_of(m, r->w[0], ha, 1, n, &p->rates[0]);
    rates_of(m, s.w[0], hb, 1, n, &p->rates[1]);
    const uint64_t high = 0xffffffff00000000u;
    uint64_t roles = 0;
    for (int i = 0; i < n; i++) roles |= r->w[0][i];
    for (int i = 0; roles >> 50 & 1 && i < n; i++) { /* role 0 first */
        uint64_t turned = -(r->w[0][i] >> 50 & 1);
        for (int j = 2; j < 4; j++) {
            uint64_t change = (r->w[j][i] ^ s.w[j][i]) & turned;
            r->w[j][i] ^= change;
            s.w[j][i] ^= change;
        }
    }
    for (int i = 0; i < n; i++) {
        p->v[0][i] = of_bits(r->w[2][i]);
        p->v[1][i] = of_bits(s.w[2][i]);
        p->v[2][i] = of_bits(r->w[3][i] >> 32 | (s.w[3][i] & high));
    }
    return 0;
}

/* The first pass over a block: 65536 times the chance of equal bits, for each pair; 0 where it has
 * left the block as it was. */
INLINE int pairs_block_read(const qm_t *m, const qm_handle *ha, const qm_handle *hb, int n,
                            int64_t rest, int split, const int64_t *now_ps, int64_t step,
                            double xx, double yy, double zz, double *chance) {
    uint64_t now[LANES];
    double xy[LANES], z[LANES];
    lanes_t r;
    pair_lanes_t p;
    times_of(now_ps, step, n, now);
    if (split ? read_split(m, ha, hb, n, rest, now, &r, &p)
              : read_whole(m, ha, hb, n, rest, now, &r, &p))
        return 0;
    if (!mark_lanes(m, ha, n, &r, split)) {
        unmark_lanes(m, ha, n, split);
        return 0;
    }
    decays(p.rates, p.age, n, xy, z);
    for (int i = 0; i < n; i++)
        chance[i] = 32768 + 32768 * ((xx * p.v[0][i] + yy * p.v[1][i]) * xy[i] +
                                     zz * p.v[2][i] * z[i]);
    return 1;
}

/* The first pass over all blocks; 0 where it has left everything as it was. */
WIDE static int pairs_lanes_read(const qm_t *m, const qm_handle *ha, const qm_handle *hb,
                                 const int64_t *now_ps, int64_t step, int64_t n,
                                 const double *axis, double *chance) {
    const double xx = axis[0] * axis[0], yy = axis[1] * axis[1], zz = axis[2] * axis[2];
    const int split = n && ha[0] >> 1 != hb[0] >> 1;
    for (int64_t at = 0; at < n; at += LANES) {
        const qm_handle *a = ha + at, *b = hb + at;
        const int64_t rest = n - at, *now = now_ps + at * step;
        if (rest < LANES ? pairs_block_read(m, a, b, (int)rest, rest, split, now, step, xx, yy, zz,
                                            chance + at)
            : split      ? pairs_block_read(m, a, b, LANES, rest, 1, now, step, xx, yy, zz,
                                            chance + at)
                         : pairs_block_read(m, a, b, LANES, rest, 0, now, step, xx, yy, zz,
                                            chance + at))
            continue;
        unmark_lanes(m, ha, at, split);
        return 0;
    }
    return 1;
}

INLINE void free_records(qm_t *m, arena_t *a, const qm_handle *h, int n) {
    if (a->records.count + (uint32_t)n > MAGAZINE)
        spill(m, a, &a->records, &m->free_records, a->records.count - MAGAZINE / 2);
    uint32_t *item = a->records.item + a->records.count;
    for (int i = 0; i < n; i++) item[i] = (uint32_t)h[i] >> 1;
    for (int i = 0; i < n; i++) m->records[item[i]].w[0] = h[i] >> 32; /* REC_FREE */
    a->records.count += (uint32_t)n;
}

/* The second pass: bits, and the records are free. */
WIDE static void pairs_lanes_write(qm_t *m, arena_t *a, const qm_handle *ha, const qm_handle *hb,
                                   int64_t n, const double *chance, double readout_error,
                                   bitgen_t *rng, int8_t *bits_a, int8_t *bits_b) {
    const int split = n && ha[0] >> 1 != hb[0] >> 1;
    for (int64_t at = 0; at < n; at += LANES) {
        int c = n - at < LANES ? (int)(n - at) : LANES;
        const uint64_t coins = rng->next_uint64(rng->state);
        uint64_t equal[LANES];
        if (c == LANES)
            decide_lanes(chance + at, LANES, rng, equal);
        else
            decide_lanes(chance + at, c, rng, equal);
        toss_lanes(coins, c, bits_a + at);
        for (int i = 0; i < c; i++) bits_b[at + i] = (int8_t)(bits_a[at + i] ^ equal[i] ^ 1);
        if (readout_error > 0) {
            double wrong[LANES];
            uint64_t flip[2][LANES];
            for (int i = 0; i < c; i++) wrong[i] = 65536 * readout_error;
            decide_lanes(wrong, c, rng, flip[0]);
            decide_lanes(wrong, c, rng, flip[1]);
            for (int i = 0; i < c; i++) bits_a[at + i] ^= (int8_t)flip[0][i];
            for (int i = 0; i < c; i++) bits_b[at + i] ^= (int8_t)flip[1][i];
        }
        free_records(m, a, ha + at, c);
        if (split) free_records(m, a, hb + at, c);
    }
    a->live -= 2 * n;
}

#endif
