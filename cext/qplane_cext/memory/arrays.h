/* NumPy arrays in and out of bursts, where these are so short that calls would take most of the time. */
#ifndef QPLANE_MEMORY_ARRAYS_H
#define QPLANE_MEMORY_ARRAYS_H

#include <Python.h>
#include <numpy/arrayobject.h>

/* Whether an object is a one-dimensional array of this type that can be read as it lies. */
static inline int is_plain(PyObject *o, int kind) {
    const PyArrayObject *a = (PyArrayObject *)o;
    const int wanted = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;
    return Py_IS_TYPE(o, &PyArray_Type) && PyArray_NDIM(a) == 1 && PyArray_TYPE(a) == kind &&
           (PyArray_FLAGS(a) & wanted) == wanted && PyArray_ISNBO(PyArray_DESCR(a)->byteorder);
}

static inline npy_intp length_of(PyObject *array) { return PyArray_DIM((PyArrayObject *)array, 0); }
static inline void *data_of(PyObject *array) { return PyArray_DATA((PyArrayObject *)array); }

/* Whether nobody but a list has this array, and it is what PyArray_SimpleNew() would give. */
static inline int is_ours_alone(PyObject *o, int kind, npy_intp n) {
    const int plain = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS | NPY_ARRAY_OWNDATA |
                      NPY_ARRAY_ALIGNED | NPY_ARRAY_WRITEABLE;
    PyArrayObject *a = (PyArrayObject *)o;
    return o != Py_None && Py_REFCNT(o) == 1 && is_plain(o, kind) && PyArray_DIM(a, 0) == n &&
           PyArray_FLAGS(a) == plain && !PyArray_BASE(a);
}

/* An array over part of a bytes object that nobody else has: it takes half as long to make as one
 * with memory of its own. */
static inline PyObject *array_within(PyObject *bytes, npy_intp from, npy_intp n, int kind) {
    PyObject *a = PyArray_NewFromDescr(&PyArray_Type, PyArray_DescrFromType(kind), 1, &n, NULL,
                                       PyBytes_AS_STRING(bytes) + from, NPY_ARRAY_CARRAY, NULL);
    if (!a) return NULL;
    Py_INCREF(bytes);
    if (PyArray_SetBaseObject((PyArrayObject *)a, bytes) < 0) Py_CLEAR(a);
    return a;
}

#endif
