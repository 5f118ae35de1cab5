/* Python integers to 64 bits and back without a call: the fused verbs take and give several each. */
#ifndef QPLANE_MEMORY_INTEGERS_H
#define QPLANE_MEMORY_INTEGERS_H

#include <Python.h>
#include <stdint.h>

/* The value of an int (exactly; not a subclass) of 0 to 2^60 - 1, else -1. */
static inline int64_t small_int(PyObject *value) {
    if (!PyLong_CheckExact(value)) return -1;
#if PYLONG_BITS_IN_DIGIT == 30 && PY_VERSION_HEX < 0x030c0000
    const digit *d = ((PyLongObject *)value)->ob_digit;
    Py_ssize_t n = Py_SIZE(value);
#elif PYLONG_BITS_IN_DIGIT == 30
    const digit *d = ((PyLongObject *)value)->long_value.ob_digit;
    uintptr_t tag = ((PyLongObject *)value)->long_value.lv_tag; /* sign in two bits: 0, zero, < 0 */
    Py_ssize_t n = tag & 2 ? -1 : (Py_ssize_t)(tag >> 3);
#else
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
    return v < 0 || v >> 60 ? -1 : v;
#endif
#if PYLONG_BITS_IN_DIGIT == 30
    return n == 2   ? (int64_t)d[1] << 30 | d[0]
           : n == 1 ? (int64_t)d[0]
           : n == 0 ? 0
                    : -1;
#endif
}

#define GIVEN_PAIRS 8

#if PYLONG_BITS_IN_DIGIT == 30
static inline void set_int(PyObject *value, uint64_t h) { /* of two digits, as it was */
#if PY_VERSION_HEX < 0x030c0000
    digit *d = ((PyLongObject *)value)->ob_digit;
#else
    digit *d = ((PyLongObject *)value)->long_value.ob_digit;
#endif
    d[0] = (digit)(h & 0x3fffffff);
    d[1] = (digit)(h >> 30);
}
#endif

/* The tuple (a, b). Where one that was returned before is nobody's any more, nor are its ints, it
 * is filled again: to make and to free them takes longer than a verb. (zip() and enumerate() do
 * this with their tuples.) */
static inline PyObject *pair_of_handles(uint64_t a, uint64_t b) {
    static PyObject *given[GIVEN_PAIRS];
    static unsigned next;
    PyObject **place = &given[next++ % GIVEN_PAIRS], *pair = *place;
#if PYLONG_BITS_IN_DIGIT == 30
    int fits = !((a | b) >> 60) && a >> 30 && b >> 30;
    if (fits && pair && Py_REFCNT(pair) == 1 && Py_REFCNT(PyTuple_GET_ITEM(pair, 0)) == 1 &&
        Py_REFCNT(PyTuple_GET_ITEM(pair, 1)) == 1) {
        set_int(PyTuple_GET_ITEM(pair, 0), a);
        set_int(PyTuple_GET_ITEM(pair, 1), b);
        Py_INCREF(pair);
        return pair;
    }
#else
    const int fits = 0;
#endif
    PyObject *first = PyLong_FromUnsignedLongLong(a), *second = PyLong_FromUnsignedLongLong(b);
    pair = first && second ? PyTuple_New(2) : NULL;
    if (!pair) {
        Py_XDECREF(first);
        Py_XDECREF(second);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 0, first);
    PyTuple_SET_ITEM(pair, 1, second);
    if (fits) {
        Py_XSETREF(*place, Py_NewRef(pair));
    }
    return pair;
}

#endif
