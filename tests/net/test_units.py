"""Units: what is read, what is refused, and that the message says what would be right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.net import units


@pytest.mark.parametrize(
    ("dimension", "text", "value"),
    [
        (units.LENGTH, "25 km", 25_000.0),
        (units.LENGTH, "25km", 25_000.0),
        (units.LENGTH, "1.5e3 m", 1500.0),
        (units.TIME, "10 ms", 1e10),
        (units.TIME, "3 µs", 3e6),
        (units.TIME, "3 us", 3e6),
        (units.TIME, "2 min", 1.2e14),
        (units.ATTENUATION, "0.2 dB/km", 0.2),
        (units.FREQUENCY, "2 kHz", 2000.0),
        (units.BANDWIDTH, "1 Gb/s", 1e9),
    ],
)
def test_quantities_are_read_in_calculation_units(dimension, text, value):
    assert dimension.parse(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("dimension", "value", "message"),
    [
        (units.LENGTH, 25, 'the unit is missing; a length is written like "25 km"'),
        (units.LENGTH, "25", 'the unit is missing; a length is written like "25 km"'),
        (units.LENGTH, "25 ms", "that is a time; a length is wanted, in m, km"),
        (units.LENGTH, "25 miles", 'unknown unit "miles"; a length is wanted, in m, km'),
        (units.LENGTH, "-3 km", "a length can't be negative"),
        (units.LENGTH, "0 km", "a length must be greater than zero here"),
        (units.LENGTH, "nan km", 'not a finite number and a unit; write "25 km"'),
        (units.LENGTH, "inf km", 'not a finite number and a unit; write "25 km"'),
        (units.LENGTH, "1e400 km", "too large"),
        (units.LENGTH, True, "a length is wanted"),
        (units.LENGTH, ["25 km"], "a length is wanted"),
        (units.TIME, "", 'not a finite number and a unit; write "10 ms"'),
    ],
)
def test_what_is_not_the_quantity_is_refused(dimension, value, message):
    with pytest.raises(units.UnitError) as caught:
        dimension.parse(value)
    assert message in str(caught.value)


@given(st.floats(1e-3, 1e6), st.sampled_from(list(units.TIME.units.items())))
def test_a_written_quantity_is_read_back(number, unit):
    name, factor = unit
    assert units.TIME.parse(f"{number!r} {name}") == number * factor


@pytest.mark.parametrize(("value", "share"), [(0.02, 0.02), ("2 %", 0.02), ("2%", 0.02), (1, 1.0)])
def test_probabilities(value, share):
    assert units.probability(value) == pytest.approx(share)


@pytest.mark.parametrize("value", [-0.1, 1.5, "120 %", "2 ms", float("nan"), True, None, "much"])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(units.UnitError, match="probability"):
        units.probability(value)
