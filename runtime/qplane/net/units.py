"""Quantities with their units, as they stand in a network file: ``"25 km"``, ``"0.2 dB/km"``.

Each kind of quantity is one :class:`Dimension`: the unit names it knows and the factor of each to
the unit that qplane calculates in. A bare number is refused wherever a unit is possible, because
nobody remembers whether 25 was metres.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_QUANTITY = re.compile(
    r"\s*(?P<number>[-+]?[0-9][0-9_]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?)\s*(?P<unit>\S.*?)?\s*"
)


class UnitError(ValueError):
    """The text is not a quantity of the wanted dimension; the message says what would be."""


@dataclass(frozen=True)
class Dimension:
    """One kind of quantity.

    `article_name` is used in messages ("a length"); `units` maps unit names to their factor to the
    unit calculated in; `example` is a valid text.
    """

    article_name: str
    units: Mapping[str, float]
    example: str

    def parse(self, value: object, *, zero: bool = False) -> float:
        """The number of calculation units in `value`.

        It must be finite and positive, or zero where `zero` is true. Raises UnitError.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise UnitError(f"{self.article_name} is wanted, as text with a unit: {self._example}")
        if not isinstance(value, str):
            raise UnitError(
                f"the unit is missing; {self.article_name} is written like {self._example}"
            )
        match = _QUANTITY.fullmatch(value)
        if match is None:
            raise UnitError(f"not a finite number and a unit; write {self._example}")
        unit = match["unit"]
        if unit is None:
            raise UnitError(
                f"the unit is missing; {self.article_name} is written like {self._example}"
            )
        factor = self.units.get(unit)
        if factor is None:
            other = _dimension_of(unit)
            what = f"that is {other.article_name}" if other else f'unknown unit "{unit}"'
            raise UnitError(f"{what}; {self.article_name} is wanted, in {self._names}")
        number = float(match["number"]) * factor
        if not math.isfinite(number):
            raise UnitError(f"too large; write {self.article_name} like {self._example}")
        if number < 0:
            raise UnitError(f"{self.article_name} can't be negative")
        if number == 0 and not zero:
            raise UnitError(f"{self.article_name} must be greater than zero here")
        return number

    @property
    def _example(self) -> str:
        return f'"{self.example}"'

    @property
    def _names(self) -> str:
        return ", ".join(self.units)


LENGTH = Dimension("a length", {"m": 1.0, "km": 1e3}, "25 km")
"""Calculated in metres."""

TIME = Dimension(
    "a time",
    {"ps": 1.0, "ns": 1e3, "us": 1e6, "µs": 1e6, "ms": 1e9, "s": 1e12, "min": 6e13},
    "10 ms",
)
"""Calculated in picoseconds."""

ATTENUATION = Dimension("an attenuation", {"dB/km": 1.0}, "0.2 dB/km")
"""Calculated in dB/km."""

FREQUENCY = Dimension("a frequency", {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}, "25 Hz")
"""Calculated in hertz."""

BANDWIDTH = Dimension(
    "a bit rate", {"b/s": 1.0, "kb/s": 1e3, "Mb/s": 1e6, "Gb/s": 1e9, "Tb/s": 1e12}, "1 Gb/s"
)
"""Calculated in bits a second."""

MESSAGE_RATE = Dimension(
    "a message rate", {"msg/s": 1.0, "kmsg/s": 1e3, "Mmsg/s": 1e6}, "500 msg/s"
)
"""Calculated in messages a second."""

DATA_RATE = Dimension(
    "a data rate",
    {**BANDWIDTH.units, "B/s": 8.0, "kB/s": 8e3, "MB/s": 8e6, "GB/s": 8e9},
    "10 Mb/s",
)
"""Calculated in bits a second; also written in bytes."""

DATA = Dimension(
    "an amount of data",
    {"b": 0.125, "kb": 125.0, "Mb": 125e3, "B": 1.0, "kB": 1e3, "MB": 1e6},
    "15 kB",
)
"""Calculated in bytes."""

ANGLE = Dimension("an angle", {"rad": 1.0, "mrad": 1e-3, "deg": math.pi / 180}, "0.1 rad")
"""Calculated in radians."""

_ALL = (LENGTH, TIME, ATTENUATION, FREQUENCY, DATA_RATE, MESSAGE_RATE, DATA, ANGLE)


def _dimension_of(unit: str) -> Dimension | None:
    return next((dimension for dimension in _ALL if unit in dimension.units), None)


def probability(value: object) -> float:
    """A share from 0 to 1, written as a number (0.02) or in percent ("2 %"). Raises UnitError."""
    number: float
    if isinstance(value, bool):
        raise UnitError('a probability is wanted: a number from 0 to 1, or percent like "2 %"')
    if isinstance(value, (int, float)):
        number = float(value)
    else:
        match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        if match is None or match["unit"] not in {"%", None}:
            raise UnitError('a probability is wanted: a number from 0 to 1, or percent like "2 %"')
        number = float(match["number"]) / (100.0 if match["unit"] else 1.0)
    if not 0.0 <= number <= 1.0:  # also refuses NaN
        raise UnitError("a probability lies between 0 and 1 (0 % and 100 %)")
    return number
