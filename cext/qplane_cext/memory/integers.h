/* Python integers to 64 bits without a call: the fused verbs take several each. */
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

#endif
