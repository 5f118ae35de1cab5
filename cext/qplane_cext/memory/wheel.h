/* What a slot is for, and the hierarchical timing wheel of cut-off deadlines.
 *
 * Eleven levels of 64 buckets cover 64-bit time at a resolution of one picosecond (Varghese and
 * Lauck 1987, scheme 7). A deadline sits at the level of the highest 6-bit digit in which it differs
 * from the wheel's time; it moves down at most eleven times and nothing is ever swept.
 */
#ifndef QPLANE_MEMORY_WHEEL_H
#define QPLANE_MEMORY_WHEEL_H

#include <stdint.h>

#define NO_DEADLINE INT64_MAX

typedef struct {
    uint32_t owner; /* 0: nobody's */
    uint16_t purpose, slice;
    uint64_t key;        /* deadline, biased to unsigned; 0: none */
    uint32_t next, prev; /* slot indices; 0: end */
} slot_t;

#define LEVELS 11

typedef struct {
    uint64_t now;
    uint64_t occupied[LEVELS];
    uint32_t bucket[LEVELS][64];
} wheel_t;

static inline uint64_t wheel_key(int64_t time_ps) {
    uint64_t key = (uint64_t)time_ps ^ (1ull << 63);
    return key ? key : 1;
}

static inline int64_t wheel_time(uint64_t key) { return (int64_t)(key ^ (1ull << 63)); }

static inline int wheel_level(const wheel_t *w, uint64_t key) {
    return key == w->now ? 0 : (63 - __builtin_clzll(key ^ w->now)) / 6;
}

static void wheel_insert(wheel_t *w, slot_t *slots, uint32_t q) {
    uint64_t key = slots[q].key > w->now ? slots[q].key : w->now; /* overdue: in the next bucket */
    int level = wheel_level(w, key), b = (int)(key >> (6 * level)) & 63;
    uint32_t head = w->bucket[level][b];
    slots[q].next = head;
    slots[q].prev = 0;
    if (head) slots[head].prev = q;
    w->bucket[level][b] = q;
    w->occupied[level] |= 1ull << b;
}

static void wheel_remove(wheel_t *w, slot_t *slots, uint32_t q) {
    slot_t *s = &slots[q];
    if (!s->key) return;
    if (s->next) slots[s->next].prev = s->prev;
    if (s->prev) {
        slots[s->prev].next = s->next;
    } else { /* the head: which bucket's is a question of its key */
        uint64_t key = s->key > w->now ? s->key : w->now;
        int level = wheel_level(w, key), b = (int)(key >> (6 * level)) & 63;
        w->bucket[level][b] = s->next;
        if (!s->next) w->occupied[level] &= ~(1ull << b);
    }
    s->key = 0;
}

/* The next slot whose deadline is at or before `key`, or 0; the wheel's time moves up to it. */
static uint32_t wheel_due(wheel_t *w, slot_t *slots, uint64_t key) {
    for (;;) {
        int level = 0;
        while (level < LEVELS && !w->occupied[level]) level++;
        if (level == LEVELS) return 0;
        int b = __builtin_ctzll(w->occupied[level]), shift = 6 * level;
        uint64_t below = shift + 6 < 64 ? (1ull << (shift + 6)) - 1 : ~0ull;
        uint64_t start = (w->now & ~below) | (uint64_t)b << shift;
        if (start > key) return 0;
        uint32_t q = w->bucket[level][b];
        if (level == 0) {
            w->now = start;
            return q;
        }
        w->bucket[level][b] = 0;
        w->occupied[level] &= ~(1ull << b);
        w->now = start;
        while (q) {
            uint32_t next = slots[q].next;
            wheel_insert(w, slots, q);
            q = next;
        }
    }
}

#endif
