/* Where qubits live: 32-byte records of two qubits each, and pools of state blocks.
 *
 * A record holds the two qubits that were created together. While they are an untouched
 * Bell-diagonal pair the record holds everything ("compact", 32 bytes a pair, handles included):
 *
 *   w0  generation 32 | kind 2 | profile a 11 | profile b 11 | clock, high 5 | rest | marks b, a
 *   w1  <XX> 48 | clock, low 16     w2  <YY> 48 | clock, mid 16     w3  <ZZ> 48 | clock, upper 16
 *
 * The clock is common to both halves (53 bits, picoseconds); a correlation is a signed 48-bit
 * number of steps of 2^-46, so it is stored to within 7.2e-15 and 0, 1, -1 are exact.
 * A Bell-diagonal pair whose halves are the only live qubits of two records, as after a swap, is
 * "split" over them (64 bytes a pair); role 0 has <XX>, role 1 <YY>, and each one half of <ZZ>:
 *
 *   w0  generation 32 | kind 2 | profile 15 | live half 1 | role 1 | 10 | rest | 2
 *   w1  mark, clock 63     w2  <XX> or <YY>     w3  slot of the other half 32 | half of <ZZ> 32
 *
 * A pair that is not Bell-diagonal is held in records just so, with the bit "rest" set (in both
 * records of a split pair): its other twelve correlations, 96 bytes, are the element of `rests` that
 * has the index of its record, or of that with role 0. So it takes 128 bytes, or 160 when split,
 * and nothing needs to be allocated, or looked up before it can be asked for.
 *
 * What does not fit is "open": state in a block, each half with its own clock.
 *
 *   w0  generation 32 | kind 2 | profile a 15 | profile b 15
 *   w1, w2  mark, clock 63 of a, b     w3  block of b 32 | block of a 32 (0: that half is free)
 *
 * A qubit's slot index is 2 * record + half; a handle is that and the record's generation. A mark
 * says that the qubit is an operand of the burst that is being checked; there are none otherwise.
 * Free records and blocks wait on stacks, one for each thread. All allocation goes through an
 * arena, which takes from and returns to the stacks in batches under a lock: two threads that work
 * on disjoint handles, each with an arena of its own, hardly ever wait for each other.
 */
#ifndef QPLANE_MEMORY_STORE_H
#define QPLANE_MEMORY_STORE_H

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include <numpy/random/bitgen.h>

#include "qplane_cext/memory/api.h"
#include "qplane_cext/memory/wheel.h"

typedef struct {
    uint64_t w[4];
} record_t;

enum { REC_FREE = 0, REC_COMPACT = 1, REC_OPEN = 2, REC_SPLIT = 3 };

/* A block identifier: kind in the top two bits, index below; index 0 is never used. */
enum { BLK_ONE = 0, BLK_BELL = 1, BLK_PAIR = 2, BLK_BIG = 3 };
#define BLK_ID(kind, index) (((uint32_t)(kind) << 30) | (index))
#define BLK_KIND(id) ((id) >> 30)
#define BLK_INDEX(id) ((id)&0x3fffffffu)

typedef struct { /* BLK_ONE: Bloch vector of m[0]; BLK_BELL: <XX>, <YY>, <ZZ> of m[0], m[1] */
    uint32_t m[2];
    double v[3];
} small_t;

typedef struct { /* R[5 k + 1 .. 5 k + 4], k = 0, 1, 2, of a pair held in records: all but <XX>, <YY>,
                  * <ZZ>; the first qubit is half a, or the one with role 0 */
    double r[3][4];
} rest_t;

typedef struct { /* BLK_PAIR: R[1..15] of m[0], m[1], row major; R[0] = 1; two cache lines */
    uint32_t m[2];
    double r[15];
} pair_t;

typedef struct {
    double t1_s, t2_s, population;
    double rate1, rate2; /* 1/T1, 1/T2 in 1/ps */
    double z_eq;         /* <Z> in equilibrium, 1 - 2 population */
    int pauli;           /* ageing is a Pauli channel: a Bell-diagonal pair stays one */
    int mixture;         /* ageing is a mixture of Pauli operations and resets */
    double pad;          /* 64 bytes: finding one is a shift */
} profile_t;

#define MAX_RECORDS 0x1fff0000 /* a block's index has 30 bits, and some are left over */
#define MAX_PROFILES 32768u
#define COMPACT_PROFILES 2048u

#define MAGAZINE 4096u

typedef struct { /* free elements at hand */
    uint32_t count, item[MAGAZINE];
} magazine_t;

#define SHARDS 8

typedef struct { /* how far a pool was ever used; free elements, by the thread that freed them */
    uint32_t top, limit;
    struct {
        uint32_t count, *item;
    } free[SHARDS];
} pool_t;

typedef struct {
    magazine_t records, smalls, pairs, bigs;
    uint32_t batch; /* elements to take at once, up to MAGAZINE */
    uint32_t shard; /* a thread takes again what it has freed itself: it lies in its cache */
    int64_t live; /* change in the number of live qubits since the last return */
} arena_t;

typedef struct {
    uint32_t limit, used; /* qubits */
} owner_t;

#define MAX_OWNERS (1u << 20)

struct big; /* BLK_BIG: see tableau.h */

typedef struct { /* a pair as create_werner() last made it: its record but for generation and clock */
    double fidelity;
    int bell, profile_a, profile_b; /* profile_a < 0: none */
    record_t like;
} werner_t;

typedef struct qm {
    record_t *records; /* index 0 is never used, as in both pools */
    rest_t *rests; /* by record */
    small_t *smalls;
    pair_t *pairs;
    struct big **bigs; /* NULL: free */
    uint32_t capacity; /* records */
    profile_t *profiles;
    uint32_t n_profiles;
    int exact_only; /* never use the Bell-diagonal forms (a test compares the two) */
    double checked[16]; /* the last pair matrix that was found to be a state */
    werner_t werner;    /* the last Werner state that was created */
    slot_t *slots;      /* by slot index; NULL until a slot has an owner or a deadline */
    wheel_t wheel;
    owner_t *owners; /* 1 to n_owners */
    uint32_t n_owners;
    bitgen_t *noise; /* for sampled noise on tableaus where a verb has no generator */
    char apart[64];  /* threads read what is above and write what is below */
    pool_t free_records, free_smalls, free_pairs, free_bigs;
    pthread_mutex_t lock;
    int64_t live;
    arena_t arena; /* of whoever holds the memory alone: scalar and fused verbs */
} qm_t;

/* ---- records ---- */

#define MARK (1ull << 63)
#define REST (1ull << 61) /* in w0 of compact and split records */
#define CLOCK_BITS 53     /* of a compact record */

static inline uint32_t rec_generation(const record_t *r) { return (uint32_t)r->w[0]; }
static inline int rec_kind(const record_t *r) { return (int)(r->w[0] >> 32) & 3; }

static inline uint32_t rec_profile(const record_t *r, int half) {
    if (rec_kind(r) == REC_COMPACT) return (uint32_t)(r->w[0] >> (34 + 11 * half)) & 2047u;
    if (rec_kind(r) == REC_SPLIT) half = 0;
    return (uint32_t)(r->w[0] >> (34 + 15 * half)) & 32767u;
}

static inline int rec_split_half(const record_t *r) { return (int)(r->w[0] >> 49) & 1; }
static inline int rec_split_role(const record_t *r) { return (int)(r->w[0] >> 50) & 1; }

static inline int64_t rec_compact_clock(const record_t *r) {
    return (int64_t)((r->w[0] >> 56 & 31) << 48 | (r->w[3] & 0xffff) << 32 |
                     (r->w[2] & 0xffff) << 16 | (r->w[1] & 0xffff));
}

/* The word that holds a half's mark, and its place there. */
static inline uint64_t *rec_mark(record_t *r, int half, uint64_t *bit) {
    int kind = rec_kind(r);
    *bit = kind == REC_COMPACT && !half ? MARK >> 1 : MARK;
    return &r->w[kind == REC_COMPACT ? 0 : kind == REC_SPLIT ? 1 : 1 + half];
}

static inline int64_t rec_clock(const record_t *r, int half) {
    if (rec_kind(r) == REC_COMPACT) return rec_compact_clock(r);
    return (int64_t)(r->w[rec_kind(r) == REC_SPLIT ? 1 : 1 + half] & ~MARK);
}

static inline uint32_t rec_block(const record_t *r, int half) { /* of an open record */
    return (uint32_t)(r->w[3] >> (32 * half));
}

static inline void rec_set_block(record_t *r, int half, uint32_t id) {
    r->w[3] = half ? (r->w[3] & 0xffffffffu) | (uint64_t)id << 32 : (r->w[3] >> 32 << 32) | id;
}

static inline void rec_set_open(record_t *r, uint32_t pa, uint32_t pb, int64_t ca, int64_t cb) {
    r->w[0] = (uint64_t)rec_generation(r) | (uint64_t)REC_OPEN << 32 | (uint64_t)pa << 34 |
              (uint64_t)pb << 49;
    r->w[1] = (uint64_t)ca;
    r->w[2] = (uint64_t)cb;
    r->w[3] = 0;
}

#define STEP 0x1p-46

static inline int rec_fits_compact(uint32_t pa, uint32_t pb, int64_t clock) {
    return pa < COMPACT_PROFILES && pb < COMPACT_PROFILES && !(clock >> CLOCK_BITS);
}

static inline void rec_set_compact(record_t *r, uint32_t pa, uint32_t pb, int64_t clock,
                                   const double *v) {
    uint64_t c = (uint64_t)clock;
    r->w[0] = (uint64_t)rec_generation(r) | (uint64_t)REC_COMPACT << 32 | (uint64_t)pa << 34 |
              (uint64_t)pb << 45 | c >> 48 << 56;
    for (int j = 0; j < 3; j++)
        r->w[1 + j] = (uint64_t)llrint(v[j] / STEP) << 16 | (c >> (16 * j) & 0xffff);
}

static inline void rec_compact_state(const record_t *r, double *v) {
    for (int i = 0; i < 3; i++) v[i] = (double)((int64_t)r->w[1 + i] >> 16) * STEP;
}

/* The live half of a record, alone in it, becomes part of a split pair. */
static inline void rec_set_split(record_t *r, int half, int role, uint32_t other, const double *v) {
    uint64_t zz;
    int64_t clock = rec_clock(r, half);
    memcpy(&zz, &v[2], 8);
    r->w[0] = (uint64_t)rec_generation(r) | (uint64_t)REC_SPLIT << 32 |
              (uint64_t)rec_profile(r, half) << 34 | (uint64_t)half << 49 | (uint64_t)role << 50;
    r->w[1] = (uint64_t)clock;
    memcpy(&r->w[2], &v[role], 8);
    r->w[3] = (uint64_t)other | (role ? zz >> 32 : zz & 0xffffffffu) << 32;
}

static inline void rec_split_state(const record_t *r, const record_t *s, double *v) {
    const record_t *t = rec_split_role(r) ? s : r, *u = rec_split_role(r) ? r : s;
    uint64_t zz = t->w[3] >> 32 | (u->w[3] >> 32) << 32;
    memcpy(&v[0], &t->w[2], 8);
    memcpy(&v[1], &u->w[2], 8);
    memcpy(&v[2], &zz, 8);
}

/* The rest of the pair that q is half of, where records hold it and it is not Bell-diagonal. */
static inline rest_t *rest_of(const qm_t *m, uint32_t q) {
    const record_t *r = &m->records[q >> 1];
    int second = rec_kind(r) == REC_SPLIT && rec_split_role(r);
    return &m->rests[second ? (uint32_t)r->w[3] >> 1 : q >> 1];
}

/* Whether q is the first qubit of the rest of its pair. */
static inline int first_in_rest(const record_t *r, uint32_t q) {
    return !(rec_kind(r) == REC_SPLIT ? rec_split_role(r) : (int)(q & 1));
}

/* ---- handles ---- */

static inline qm_handle make_handle(const qm_t *m, uint32_t q) {
    return (uint64_t)rec_generation(&m->records[q >> 1]) << 32 | q;
}

/* The slot index of a live qubit, or 0. */
static inline uint32_t slot_of(const qm_t *m, qm_handle h) {
    uint32_t q = (uint32_t)h, rec = q >> 1;
    if (rec == 0 || rec > m->capacity) return 0;
    const record_t *r = &m->records[rec];
    if (rec_generation(r) != (uint32_t)(h >> 32)) return 0;
    int kind = rec_kind(r);
    if (kind == REC_COMPACT || (kind == REC_OPEN && rec_block(r, q & 1)) ||
        (kind == REC_SPLIT && rec_split_half(r) == (int)(q & 1)))
        return q;
    return 0;
}

static inline const profile_t *profile_of(const qm_t *m, uint32_t q) {
    return &m->profiles[rec_profile(&m->records[q >> 1], q & 1)];
}

static inline int64_t clock_of(const qm_t *m, uint32_t q) {
    return rec_clock(&m->records[q >> 1], q & 1);
}

static inline void set_clock(qm_t *m, uint32_t q, int64_t clock) { /* not of a compact record */
    record_t *r = &m->records[q >> 1];
    r->w[rec_kind(r) == REC_SPLIT ? 1 : 1 + (q & 1)] = (uint64_t)clock;
}

static inline void set_block(qm_t *m, uint32_t q, uint32_t id) {
    rec_set_block(&m->records[q >> 1], q & 1, id);
}

/* ---- allocation ---- */

#define BATCH 64u /* what scalar verbs take at once */

/* Fills an empty magazine with up to `batch` elements: the thread's own, then the pool's untouched
 * rest, then other threads'. Their number. */
static uint32_t refill(qm_t *m, const arena_t *arena, magazine_t *a, pool_t *p) {
    uint32_t batch = arena->batch;
    a->count = 0;
    pthread_mutex_lock(&m->lock);
    uint32_t rest = p->limit - p->top, held = p->free[arena->shard].count;
    uint32_t fresh = held >= batch ? 0 : rest < batch - held ? rest : batch - held;
    for (; a->count < fresh; a->count++) a->item[a->count] = p->top + fresh - a->count;
    p->top += fresh;
    for (uint32_t k = 0; k < SHARDS && (!k || !a->count); k++) {
        uint32_t shard = (arena->shard + k) % SHARDS, *count = &p->free[shard].count;
        uint32_t got = *count < batch - a->count ? *count : batch - a->count;
        *count -= got;
        memcpy(a->item + a->count, p->free[shard].item + *count, got * sizeof *a->item);
        a->count += got;
    }
    pthread_mutex_unlock(&m->lock);
    return a->count;
}

static void spill(qm_t *m, const arena_t *arena, magazine_t *a, pool_t *p, uint32_t n) {
    pthread_mutex_lock(&m->lock); /* the n oldest */
    memcpy(p->free[arena->shard].item + p->free[arena->shard].count, a->item, n * sizeof *a->item);
    p->free[arena->shard].count += n;
    pthread_mutex_unlock(&m->lock);
    memmove(a->item, a->item + n, (a->count -= n) * sizeof *a->item);
}

/* An element, or 0: the pool is used up. */
static inline uint32_t take(qm_t *m, const arena_t *arena, magazine_t *a, pool_t *p) {
    return a->count || refill(m, arena, a, p) ? a->item[--a->count] : 0;
}

static inline void give(qm_t *m, const arena_t *arena, magazine_t *a, pool_t *p, uint32_t i) {
    if (a->count == MAGAZINE) spill(m, arena, a, p, MAGAZINE / 2);
    a->item[a->count++] = i;
}

/* A free record's index, or 0 when the memory is full. Its generation is already the new one. */
static inline uint32_t new_record(qm_t *m, arena_t *a) {
    uint32_t i = take(m, a, &a->records, &m->free_records);
    if (!i) return 0;
    record_t *r = &m->records[i];
    uint32_t g = rec_generation(r) + 1;
    r->w[0] = g ? g : 1;
    return i;
}

static inline void free_record(qm_t *m, arena_t *a, uint32_t i) {
    m->records[i].w[0] &= 0xffffffffu; /* REC_FREE */
    give(m, a, &a->records, &m->free_records, i);
}

/* Blocks do not run out before records do. */
static inline uint32_t new_small(qm_t *m, arena_t *a) {
    return take(m, a, &a->smalls, &m->free_smalls);
}

static inline uint32_t new_pair(qm_t *m, arena_t *a) {
    return take(m, a, &a->pairs, &m->free_pairs);
}

static inline uint32_t new_big(qm_t *m, arena_t *a, struct big *block) {
    uint32_t i = take(m, a, &a->bigs, &m->free_bigs);
    m->bigs[i] = block;
    return i;
}

static inline void free_big(qm_t *m, arena_t *a, uint32_t i) { /* the entry, and the block */
    free(m->bigs[i]);
    m->bigs[i] = NULL;
    give(m, a, &a->bigs, &m->free_bigs, i);
}

static inline void free_small(qm_t *m, arena_t *a, uint32_t i) {
    give(m, a, &a->smalls, &m->free_smalls, i);
}

static inline void free_pair(qm_t *m, arena_t *a, uint32_t i) {
    give(m, a, &a->pairs, &m->free_pairs, i);
}

/* Forgets a slot's owner, purpose and deadline. */
static void release_slot(qm_t *m, uint32_t q) {
    slot_t *s = &m->slots[q];
    if (!s->owner && !s->key) return;
    pthread_mutex_lock(&m->lock);
    wheel_remove(&m->wheel, m->slots, q);
    if (s->owner) m->owners[s->owner].used--;
    s->owner = 0;
    pthread_mutex_unlock(&m->lock);
}

/* Ends a qubit's life: its handle is stale from here on. The block is the caller's business. */
static inline void kill_qubit(qm_t *m, arena_t *a, uint32_t q) {
    record_t *r = &m->records[q >> 1];
    if (m->slots) release_slot(m, q);
    a->live--;
    if (rec_kind(r) == REC_OPEN) {
        rec_set_block(r, q & 1, 0);
        r->w[1 + (q & 1)] = 0;
        if (r->w[3]) return;
    } else if (rec_kind(r) == REC_FREE || rec_split_half(r) != (int)(q & 1)) {
        return; /* it went with its other half, or the other half has taken the record over */
    }
    free_record(m, a, q >> 1);
}

/* Turns a compact or split record into an open one whose halves have no block yet. */
static inline void open_record(record_t *r) {
    uint32_t pa = rec_profile(r, 0), pb = rec_profile(r, 1);
    int64_t c = rec_clock(r, 0);
    rec_set_open(r, pa, pb, c, c);
}

/* Gives everything that an arena holds back to the memory. */
static void arena_return(qm_t *m, arena_t *a) {
    if (a->records.count) spill(m, a, &a->records, &m->free_records, a->records.count);
    if (a->smalls.count) spill(m, a, &a->smalls, &m->free_smalls, a->smalls.count);
    if (a->pairs.count) spill(m, a, &a->pairs, &m->free_pairs, a->pairs.count);
    if (a->bigs.count) spill(m, a, &a->bigs, &m->free_bigs, a->bigs.count);
    if (!a->live) return;
    pthread_mutex_lock(&m->lock);
    m->live += a->live;
    pthread_mutex_unlock(&m->lock);
    a->live = 0;
}

/* Threads are numbered as they come. */
static uint32_t shard_of_thread(void) {
    static uint32_t threads;
    static _Thread_local uint32_t number; /* from 1 */
    if (!number) number = 1 + __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED) % SHARDS;
    return number - 1;
}

/* An arena for a burst of n elements; its magazines' items need not be cleared. */
static inline void arena_start(arena_t *a, int64_t n) {
    a->batch = n < BATCH ? BATCH : n < MAGAZINE ? (uint32_t)n : MAGAZINE;
    a->shard = shard_of_thread();
    a->records.count = a->smalls.count = a->pairs.count = a->bigs.count = 0;
    a->live = 0;
}

/* ---- the memory as a whole ---- */

/* Zeros whose pages are committed when they are first used, in large pages where there are any:
 * random access to many pairs lives by the TLB. Aligned to cache lines. */
static void *zeros(size_t n, size_t size) {
    const uintptr_t line = 64;
    char *raw = calloc(n * size + 2 * line, 1);
    if (!raw) return NULL;
    char *p = (char *)(((uintptr_t)raw + 2 * line - 1) & ~(line - 1));
    memcpy(p - sizeof raw, &raw, sizeof raw);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t large = (uintptr_t)1 << 21;
    uintptr_t start = ((uintptr_t)p + large - 1) & ~(large - 1);
    uintptr_t end = ((uintptr_t)p + n * size) & ~(large - 1);
    if (end > start) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#endif
    return p;
}

static void free_zeros(void *p) {
    char *raw;
    if (!p) return;
    memcpy(&raw, (char *)p - sizeof raw, sizeof raw);
    free(raw);
}

static void *pool(pool_t *p, uint32_t limit, size_t size) { /* elements 1 to limit */
    p->limit = limit;
    for (int k = 0; k < SHARDS; k++)
        if (!(p->free[k].item = calloc((size_t)limit, sizeof *p->free[k].item))) return NULL;
    return zeros((size_t)limit + 1, size);
}

static void free_pool(pool_t *p, void *elements) {
    for (int k = 0; k < SHARDS; k++) free(p->free[k].item);
    free_zeros(elements);
}

static void qm_delete(qm_t *m) {
    if (!m) return;
    for (uint32_t i = 1; m->bigs && i <= m->free_bigs.top; i++) free(m->bigs[i]);
    free_pool(&m->free_records, m->records);
    free_zeros(m->rests);
    free_pool(&m->free_smalls, m->smalls);
    free_pool(&m->free_pairs, m->pairs);
    free_pool(&m->free_bigs, m->bigs);
    free(m->slots);
    free(m->owners);
    free(m->profiles);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* Room for `capacity` records; pages that are never used are never committed. */
static qm_t *qm_new(uint32_t capacity, int exact_only) {
    qm_t *m = calloc(1, sizeof *m);
    uint32_t spare = 64 * MAGAZINE; /* what arenas may have at hand while others take */
    uint32_t qubits = 2 * capacity + spare, pairs = capacity + spare;
    if (!m) return NULL;
    pthread_mutexattr_t spin;
    pthread_mutexattr_init(&spin);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&spin, PTHREAD_MUTEX_ADAPTIVE_NP); /* it is held for nanoseconds */
#endif
    pthread_mutex_init(&m->lock, &spin);
    pthread_mutexattr_destroy(&spin);
    m->capacity = capacity;
    m->exact_only = exact_only;
    m->werner.profile_a = -1;
    m->arena.batch = BATCH;
    m->records = pool(&m->free_records, capacity, sizeof(record_t));
    m->rests = zeros((size_t)capacity + 1, sizeof(rest_t));
    m->smalls = pool(&m->free_smalls, qubits, sizeof(small_t));
    m->pairs = pool(&m->free_pairs, pairs, sizeof(pair_t));
    m->bigs = pool(&m->free_bigs, qubits, sizeof *m->bigs);
    m->profiles = calloc(MAX_PROFILES, sizeof(profile_t));
    if (!m->records || !m->rests || !m->smalls || !m->pairs || !m->bigs || !m->profiles) {
        qm_delete(m);
        return NULL;
    }
    return m;
}

#endif
