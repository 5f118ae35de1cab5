"""A NumPy bit generator that hands out doubles from a list: probabilities become thresholds.

The memory draws uniform numbers through NumPy's C interface. With a draw of our choice, the
outcome of an operation is a function of it, and an outcome's probability is the length of the
interval that leads to it, found by bisection to 1e-13: no sampling error in the test.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Hashable, Sequence

import numpy as np

_DOUBLE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p)
_U64 = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)
_U32 = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)


class _BitGen(ctypes.Structure):
    _fields_ = (
        ("state", ctypes.c_void_p),
        ("next_uint64", _U64),
        ("next_uint32", _U32),
        ("next_double", _DOUBLE),
        ("next_raw", _U64),
    )


class _Script:
    def __init__(self, values: Sequence[float], words: Sequence[int]) -> None:
        self.values = list(values)
        self.words = list(words)
        self.lock = threading.Lock()
        self._keep = (_DOUBLE(self._next), _U64(self._next_word), _U32(lambda _: 0))
        double, u64, u32 = self._keep
        self._struct = _BitGen(None, u64, u32, double, u64)
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
        )
        self.capsule = new(ctypes.addressof(self._struct), b"BitGenerator", None)

    def _next(self, _: int) -> float:
        return self.values.pop(0)

    def _next_word(self, _: int) -> int:
        return self.words.pop(0) if self.words else 0


def scripted(*values: float, words: Sequence[int] = ()) -> np.random.Generator:
    """A generator whose uniform doubles are the given ones, and whose 64-bit words are ``words``
    and then zeros."""
    return np.random.Generator(_Script(values, words))  # type: ignore[arg-type]


def distribution(run: Callable[[float], Hashable], grid: int = 96) -> dict[Hashable, float]:
    """Probabilities of the outcomes of ``run(u)`` for u uniform in [0, 1).

    No outcome's interval may be shorter than 1/grid.
    """
    total: dict[Hashable, float] = {}
    points = [i / grid for i in range(grid)] + [1 - 2.0**-53]
    results = [run(u) for u in points]
    start = 0.0
    for i in range(grid):
        if results[i] == results[i + 1]:
            continue
        low, high = points[i], points[i + 1]
        while high - low > 1e-14:
            middle = (low + high) / 2
            low, high = (middle, high) if run(middle) == results[i] else (low, middle)
        total[results[i]] = total.get(results[i], 0.0) + high - start
        start = high
    total[results[-1]] = total.get(results[-1], 0.0) + 1 - start
    return total
