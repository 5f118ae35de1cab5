/* Where qubits live: 32-byte records of two qubits each, and pools of state blocks.
 *
 * A record holds the two qubits that were created together. While they are an untouched
 * Bell-diagonal pair the record holds everything ("compact", 32 bytes a pair, handles included):
 *
 *   w0  generation 32 | kind 2 | profile a 11 | profile b 11 | clock, high 8
 *   w1  clock, low 16 | <XX> 48      w2  clock, mid 16 | <YY> 48     w3  clock, upper 16 | <ZZ> 48
 *
 * The clock is common to both halves (56 bits, signed picoseconds); a correlation is a signed
 * 48-bit number of steps of 2^-46, so it is stored to within 7.2e-15 and 0, 1, -1 are exact.
 * What does not fit (another clock, a later profile, another state) is "open": state in a block,
 * each half with its own clock.
 *
 *   w0  generation 32 | kind 2 | profile a 15 | profile b 15
 *   w1  clock of a     w2  clock of b     w3  block of a 32 | block of b 32 (0: that half is free)
 *
 * A qubit's slot index is 2 * record + half; a handle is that and the record's generation.
 * Free records and free blocks form intrusive lists. All allocation goes through an arena, which
 * takes from and returns to the common lists in batches under a lock: two threads that work on
 * disjoint handles, each with an arena of its own, never wait for each other.
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

enum { REC_FREE = 0, REC_COMPACT = 1, REC_OPEN = 2 };

/* A block identifier: kind in the top two bits, index below; index 0 is never used. */
enum { BLK_ONE = 0, BLK_BELL = 1, BLK_PAIR = 2, BLK_BIG = 3 };
#define BLK_ID(kind, index) (((uint32_t)(kind) << 30) | (index))
#define BLK_KIND(id) ((id) >> 30)
#define BLK_INDEX(id) ((id)&0x3fffffffu)

typedef struct { /* BLK_ONE: Bloch vector of m[0]; BLK_BELL: <XX>, <YY>, <ZZ> of m[0], m[1] */
    uint32_t m[2];
    double v[3];
} small_t;

typedef struct { /* BLK_PAIR: R[1..15] of m[0], m[1], row major; R[0] = 1 */
    uint32_t m[2];
    double r[15];
} pair_t;

typedef struct {
    double t1_s, t2_s, population;
    double rate1, rate2; /* 1/T1, 1/T2 in 1/ps */
    double z_eq;         /* <Z> in equilibrium, 1 - 2 population */
    int pauli;           /* ageing is a Pauli channel: a Bell-diagonal pair stays one */
    int mixture;         /* ageing is a mixture of Pauli operations and resets */
} profile_t;

#define MAX_PROFILES 32768u
#define COMPACT_PROFILES 2048u

typedef struct {
    uint32_t head, tail, count;
} chain_t;

typedef struct {
    chain_t records, smalls, pairs, bigs;
    int64_t live; /* change in the number of live qubits since the last return */
} arena_t;

typedef struct {
    uint32_t limit, used; /* qubits */
} owner_t;

#define MAX_OWNERS (1u << 20)

struct big; /* BLK_BIG: see tableau.h */

typedef struct {
    uint32_t link;
    struct big *block; /* NULL: free */
} big_entry_t;

typedef struct qm {
    record_t *records; /* index 0 is never used, as in both pools */
    small_t *smalls;
    pair_t *pairs;
    big_entry_t *bigs;
    uint32_t capacity; /* records */
    uint32_t record_top, small_top, pair_top, big_top;
    chain_t free_records, free_smalls, free_pairs, free_bigs;
    pthread_mutex_t lock;
    int64_t live;
    arena_t arena; /* of whoever holds the memory alone: scalar and fused verbs */
    profile_t *profiles;
    uint32_t n_profiles;
    int exact_only; /* never use the Bell-diagonal forms (a test compares the two) */
    double checked[16]; /* the last pair matrix that was found to be a state */
    slot_t *slots;      /* by slot index; NULL until a slot has an owner or a deadline */
    wheel_t wheel;
    uint8_t *marks;  /* by slot index: handles seen in the burst that is being checked */
    owner_t *owners; /* 1 to n_owners */
    uint32_t n_owners;
    bitgen_t *noise; /* for sampled noise on tableaus where a verb has no generator */
} qm_t;

/* ---- records ---- */

static inline uint32_t rec_generation(const record_t *r) { return (uint32_t)r->w[0]; }
static inline int rec_kind(const record_t *r) { return (int)(r->w[0] >> 32) & 3; }

static inline uint32_t rec_profile(const record_t *r, int half) {
    if (rec_kind(r) == REC_COMPACT) return (uint32_t)(r->w[0] >> (34 + 11 * half)) & 2047u;
    return (uint32_t)(r->w[0] >> (34 + 15 * half)) & 32767u;
}

static inline int64_t rec_compact_clock(const record_t *r) {
    uint64_t c = (r->w[0] >> 56 << 48) | ((r->w[3] & 0xffff) << 32) | ((r->w[2] & 0xffff) << 16) |
                 (r->w[1] & 0xffff);
    return (int64_t)(c << 8) >> 8;
}

static inline int64_t rec_clock(const record_t *r, int half) {
    return rec_kind(r) == REC_COMPACT ? rec_compact_clock(r) : (int64_t)r->w[1 + half];
}

static inline uint32_t rec_block(const record_t *r, int half) {
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
    return pa < COMPACT_PROFILES && pb < COMPACT_PROFILES && (clock << 8 >> 8) == clock;
}

static inline void rec_set_compact(record_t *r, uint32_t pa, uint32_t pb, int64_t clock,
                                   const double *v) {
    uint64_t c = (uint64_t)clock;
    r->w[0] = (uint64_t)rec_generation(r) | (uint64_t)REC_COMPACT << 32 | (uint64_t)pa << 34 |
              (uint64_t)pb << 45 | c >> 48 << 56;
    r->w[1] = (uint64_t)llrint(v[0] / STEP) << 16 | (c & 0xffff);
    r->w[2] = (uint64_t)llrint(v[1] / STEP) << 16 | (c >> 16 & 0xffff);
    r->w[3] = (uint64_t)llrint(v[2] / STEP) << 16 | (c >> 32 & 0xffff);
}

static inline void rec_compact_state(const record_t *r, double *v) {
    for (int i = 0; i < 3; i++) v[i] = (double)((int64_t)r->w[1 + i] >> 16) * STEP;
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
    if (kind == REC_COMPACT || (kind == REC_OPEN && rec_block(r, q & 1))) return q;
    return 0;
}

static inline const profile_t *profile_of(const qm_t *m, uint32_t q) {
    return &m->profiles[rec_profile(&m->records[q >> 1], q & 1)];
}

static inline int64_t clock_of(const qm_t *m, uint32_t q) {
    return rec_clock(&m->records[q >> 1], q & 1);
}

static inline void set_clock(qm_t *m, uint32_t q, int64_t clock) { /* open records only */
    m->records[q >> 1].w[1 + (q & 1)] = (uint64_t)clock;
}

static inline void set_block(qm_t *m, uint32_t q, uint32_t id) {
    rec_set_block(&m->records[q >> 1], q & 1, id);
}

/* ---- lists: each pool's free elements are linked through their first four bytes ---- */

static inline uint32_t *link_at(void *base, size_t size, uint32_t i) {
    return (uint32_t *)(void *)((char *)base + size * i);
}

static inline void chain_push(chain_t *c, void *base, size_t size, uint32_t i) {
    *link_at(base, size, i) = c->head;
    if (!c->head) c->tail = i;
    c->head = i;
    c->count++;
}

static inline uint32_t chain_pop(chain_t *c, void *base, size_t size) {
    uint32_t i = c->head;
    c->head = *link_at(base, size, i);
    c->count--;
    return i;
}

static void chain_splice(chain_t *to, chain_t *from, void *base, size_t size) {
    if (!from->head) return;
    *link_at(base, size, from->tail) = to->head;
    if (!to->head) to->tail = from->tail;
    to->head = from->head;
    to->count += from->count;
    memset(from, 0, sizeof *from);
}

#define REFILL 64u

/* Fills an empty list with up to REFILL elements of the common one, then of the pool's untouched
 * rest. */
static uint32_t chain_refill(qm_t *m, chain_t *c, chain_t *common, uint32_t *top, uint32_t limit,
                             void *base, size_t size) {
    uint32_t got = 0, fresh = 0, last;
    pthread_mutex_lock(&m->lock);
    if (common->head && common->count <= REFILL) {
        got = common->count;
        *c = *common;
        memset(common, 0, sizeof *common);
    } else if (common->head) {
        uint32_t last_taken = common->head;
        for (got = 1; got < REFILL; got++) last_taken = *link_at(base, size, last_taken);
        c->head = common->head;
        c->tail = last_taken;
        c->count = got;
        common->head = *link_at(base, size, last_taken);
        common->count -= got;
        *link_at(base, size, last_taken) = 0;
    }
    if (got < REFILL) fresh = limit - *top < REFILL - got ? limit - *top : REFILL - got;
    last = *top += fresh;
    pthread_mutex_unlock(&m->lock);
    for (uint32_t n = 0; n < fresh; n++) chain_push(c, base, size, last - n);
    return got + fresh;
}

/* ---- allocation ---- */

#define RECORD_LINKS(m) ((void *)((char *)(m)->records + 8)) /* the generation stays in place */

static inline uint32_t small_limit(const qm_t *m) { return 2 * m->capacity + 4096; }
static inline uint32_t pair_limit(const qm_t *m) { return m->capacity + 4096; }

/* A free record's index, or 0 when the memory is full. Its generation is already the new one. */
static inline uint32_t new_record(qm_t *m, arena_t *a) {
    if (!a->records.head && !chain_refill(m, &a->records, &m->free_records, &m->record_top,
                                          m->capacity, RECORD_LINKS(m), sizeof(record_t)))
        return 0;
    uint32_t i = chain_pop(&a->records, RECORD_LINKS(m), sizeof(record_t));
    record_t *r = &m->records[i];
    uint32_t g = rec_generation(r) + 1;
    r->w[0] = g ? g : 1;
    return i;
}

static inline void free_record(qm_t *m, arena_t *a, uint32_t i) {
    m->records[i].w[0] &= 0xffffffffu; /* REC_FREE */
    chain_push(&a->records, RECORD_LINKS(m), sizeof(record_t), i);
}

static inline uint32_t new_small(qm_t *m, arena_t *a) {
    if (!a->smalls.head)
        chain_refill(m, &a->smalls, &m->free_smalls, &m->small_top, small_limit(m), m->smalls,
                     sizeof(small_t));
    return chain_pop(&a->smalls, m->smalls, sizeof(small_t));
}

static inline uint32_t new_pair(qm_t *m, arena_t *a) {
    if (!a->pairs.head)
        chain_refill(m, &a->pairs, &m->free_pairs, &m->pair_top, pair_limit(m), m->pairs,
                     sizeof(pair_t));
    return chain_pop(&a->pairs, m->pairs, sizeof(pair_t));
}

static inline uint32_t new_big(qm_t *m, arena_t *a, struct big *block) {
    if (!a->bigs.head)
        chain_refill(m, &a->bigs, &m->free_bigs, &m->big_top, small_limit(m), m->bigs,
                     sizeof(big_entry_t));
    uint32_t i = chain_pop(&a->bigs, m->bigs, sizeof(big_entry_t));
    m->bigs[i].block = block;
    return i;
}

static inline void free_big(qm_t *m, arena_t *a, uint32_t i) { /* the entry, and the block */
    free(m->bigs[i].block);
    m->bigs[i].block = NULL;
    chain_push(&a->bigs, m->bigs, sizeof(big_entry_t), i);
}

static inline void free_small(qm_t *m, arena_t *a, uint32_t i) {
    chain_push(&a->smalls, m->smalls, sizeof(small_t), i);
}

static inline void free_pair(qm_t *m, arena_t *a, uint32_t i) {
    chain_push(&a->pairs, m->pairs, sizeof(pair_t), i);
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
    rec_set_block(r, q & 1, 0);
    a->live--;
    if (r->w[3] == 0) free_record(m, a, q >> 1);
}

/* Turns a compact record into an open one whose halves have no block yet. */
static inline void open_record(record_t *r) {
    int64_t c = rec_compact_clock(r);
    rec_set_open(r, rec_profile(r, 0), rec_profile(r, 1), c, c);
}

/* Gives everything that an arena holds back to the memory. */
static void arena_return(qm_t *m, arena_t *a) {
    pthread_mutex_lock(&m->lock);
    chain_splice(&m->free_records, &a->records, RECORD_LINKS(m), sizeof(record_t));
    chain_splice(&m->free_smalls, &a->smalls, m->smalls, sizeof(small_t));
    chain_splice(&m->free_pairs, &a->pairs, m->pairs, sizeof(pair_t));
    chain_splice(&m->free_bigs, &a->bigs, m->bigs, sizeof(big_entry_t));
    m->live += a->live;
    a->live = 0;
    pthread_mutex_unlock(&m->lock);
}

/* ---- the memory as a whole ---- */

static void qm_delete(qm_t *m) {
    if (!m) return;
    free(m->records);
    free(m->smalls);
    free(m->pairs);
    for (uint32_t i = 1; m->bigs && i <= m->big_top; i++)
        free(m->bigs[i].block);
    free(m->bigs);
    free(m->slots);
    free(m->marks);
    free(m->owners);
    free(m->profiles);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* Zeros, in large pages where there are any: random access to many pairs lives by the TLB. */
static void *zeros(size_t n, size_t size) {
    void *p = calloc(n, size);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t large = (uintptr_t)1 << 21;
    uintptr_t start = ((uintptr_t)p + large - 1) & ~(large - 1);
    uintptr_t end = ((uintptr_t)p + n * size) & ~(large - 1);
    if (p && end > start) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#endif
    return p;
}

/* Room for `capacity` records; pages that are never used are never committed. */
static qm_t *qm_new(uint32_t capacity, int exact_only) {
    qm_t *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->capacity = capacity;
    m->exact_only = exact_only;
    m->records = zeros((size_t)capacity + 1, sizeof(record_t));
    m->smalls = zeros((size_t)small_limit(m) + 1, sizeof(small_t));
    m->pairs = zeros((size_t)pair_limit(m) + 1, sizeof(pair_t));
    m->bigs = calloc((size_t)small_limit(m) + 1, sizeof(big_entry_t));
    m->profiles = calloc(MAX_PROFILES, sizeof(profile_t));
    if (!m->records || !m->smalls || !m->pairs || !m->bigs || !m->profiles) {
        qm_delete(m);
        return NULL;
    }
    return m;
}

#endif
