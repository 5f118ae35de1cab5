/* Owners, purposes and deadlines of slots: kept beside the records, and only where they are used. */
#ifndef QPLANE_MEMORY_SLOTS_H
#define QPLANE_MEMORY_SLOTS_H

#include "qplane_cext/memory/measure.h"

/* A node that may hold up to `limit` qubits: its number, counted from 1. */
static int qm_add_node(qm_t *m, uint32_t limit) {
    if (!limit) return QM_EARG;
    if (m->n_owners + 1 >= MAX_OWNERS) return QM_EFULL;
    if (!m->owners && !(m->owners = calloc(MAX_OWNERS, sizeof(owner_t)))) return QM_ENOMEM;
    m->owners[++m->n_owners].limit = limit;
    return (int)m->n_owners;
}

static int ensure_slots(qm_t *m) {
    if (!m->slots) m->slots = calloc(2 * (size_t)m->capacity + 2, sizeof(slot_t));
    return m->slots ? QM_OK : QM_ENOMEM;
}

/* Gives a qubit's slot to a node (0: to nobody), with a purpose and a slice. */
static int qm_assign(qm_t *m, qm_handle h, int node, int purpose, int slice) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (node < 0 || (uint32_t)node > m->n_owners || purpose < 0 || purpose > 0xffff || slice < 0 ||
        slice > 0xffff)
        return QM_EARG;
    if (ensure_slots(m)) return QM_ENOMEM;
    slot_t *s = &m->slots[q];
    if (s->owner != (uint32_t)node) {
        if (node && m->owners[node].used == m->owners[node].limit) return QM_EFULL;
        if (node) m->owners[node].used++;
        if (s->owner) m->owners[s->owner].used--;
        s->owner = (uint32_t)node;
    }
    s->purpose = (uint16_t)purpose;
    s->slice = (uint16_t)slice;
    return QM_OK;
}

/* Sets the time at which qm_expire() discards the qubit; NO_DEADLINE: never. */
static int qm_set_deadline(qm_t *m, qm_handle h, int64_t deadline_ps) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    if (ensure_slots(m)) return QM_ENOMEM;
    wheel_remove(&m->wheel, m->slots, q);
    if (deadline_ps != NO_DEADLINE) {
        m->slots[q].key = wheel_key(deadline_ps);
        wheel_insert(&m->wheel, m->slots, q);
    }
    return QM_OK;
}

/* Discards a qubit whose deadline is at or before now: its (then stale) handle and 1, or 0. */
static int qm_expire(qm_t *m, arena_t *a, int64_t now_ps, qm_handle *h) {
    uint32_t q = m->slots ? wheel_due(&m->wheel, m->slots, wheel_key(now_ps)) : 0;
    if (!q) return 0;
    *h = make_handle(m, q);
    int code = qm_free(m, a, *h, NULL);
    return code ? code : 1;
}

static int qm_owned_by(const qm_t *m, qm_handle h, int node) {
    uint32_t q = slot_of(m, h);
    if (!q) return QM_ESTALE;
    return m->slots && m->slots[q].owner == (uint32_t)node ? QM_OK : QM_EOWNER;
}

#endif
