"""Arguments held against annotations: what fits, what is said of what does not."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from qplane.arguments import Signature, checked, described, fits


class Colour(Enum):
    RED = "red"


FITTING = [
    (int, [0, -1, 10**40, np.int64(3)], [True, 1.0, "1", None, np.float64(1)]),
    (float, [0, 1.5, np.float32(2)], [True, math.nan, math.inf, "1", None, 1j]),
    (bool, [True], [1, "true", None]),
    (str, ["", "x"], [b"x", 1, None]),
    (bytes, [b"", bytearray(b"x"), memoryview(b"x")], ["x", [1], None, 5]),
    (int | None, [None, 1], ["x", 1.5]),
    (str | Path, ["x", Path("x")], [1, None, b"x"]),
    (Iterable[str], [["a"], ("a",), {"a": 1}, iter("ab"), set()], ["ab", 1, [1], None]),
    (Sequence[int], [[1], ()], [{1}, "1", [1.5]]),
    (Mapping[str, int], [{}, {"a": 1}], [[("a", 1)], {"a": "b"}, {1: 1}]),
    (tuple[int, int], [(1, 2)], [(1,), (1, "x"), [1, 2]]),
    (tuple[int, ...], [(), (1, 2)], [("x",), [1]]),
    (Literal["a", "b"], ["a"], ["c", None]),
    (Callable[[int], None], [print], [None, "x"]),
    (Colour, [Colour.RED], ["red", 1]),
    (Mapping[str, int] | Sequence[int], [{"a": 1}, [1]], ["a", {"a": "x"}, 1]),
]


@pytest.mark.parametrize(("hint", "right", "wrong"), FITTING, ids=lambda item: str(item)[:30])
def test_what_fits(hint, right, wrong):
    assert all(fits(value, hint) for value in right)
    assert not any(fits(value, hint) for value in wrong)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (float | str | None, "a number, text or null"),
        (list[int] | None, "a list, each a whole number or null"),
        (Mapping[str, int], "a mapping of text to a whole number"),
        (tuple[int, int], "a tuple (a whole number, a whole number)"),
        (Literal["a", "b"], "one of 'a', 'b'"),
        (Path, "a path"),
        (Colour, "one of Colour.RED"),
        (Callable[[int], None], "a function"),
    ],
)
def test_words(hint, words):
    assert described(hint) == words


async def typed(a: str, b: int, c: float = 0.0, d: list[int] | None = None, e: bool = True): ...


@pytest.mark.parametrize(
    ("argument", "wrong", "problem"),
    [
        ("a", None, "should be text"),
        ("b", "1", "should be a whole number"),
        ("b", True, "should be a whole number"),
        ("c", math.inf, "should be a number"),
        ("d", ["x"], "should be a list, each a whole number or null"),
        ("e", 0, "should be true or false"),
        ("f", 0, "no such argument; there are: a, b, c, d, e"),
    ],
)
def test_a_flaw_is_named(argument, wrong, problem):
    right = {"a": "x", "b": 1, "c": 1, "d": [1]}
    assert Signature(typed).flaw(right) is None
    assert Signature(typed).flaw(right | {argument: wrong}) == (argument, wrong, problem)
    assert Signature(typed).flaw({"a": "x"}) == (None, None, "b is missing: a whole number")


class Counter:
    def __init__(self):
        self.number = 0

    @checked
    def add(self, number: int, *, times: int = 1) -> int:
        """Adds."""
        self.number += number * times
        return self.number


def test_a_checked_function_does_nothing_with_a_wrong_argument():
    counter = Counter()
    assert counter.add(2, times=3) == 6
    assert counter.add.__doc__ == "Adds."
    for call, text in (
        (lambda: counter.add("2"), r"Counter.add: number = '2': should be a whole number"),
        (lambda: counter.add(2, times=None), r"Counter.add: times = None: should be a whole"),
        (lambda: counter.add("x" * 1000), r"x\.\.\.: should be a whole number"),
        (counter.add, r"missing a required argument: 'number'"),
        (lambda: counter.add(1, tims=2), r"unexpected keyword argument 'tims'"),
    ):
        with pytest.raises(TypeError, match=text):
            call()
    assert counter.number == 6
