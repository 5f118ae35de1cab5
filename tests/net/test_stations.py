"""Heralding stations and schemes in a network file: ports and numbers, and one error for each
mistake."""

import math

import pytest

from qplane.net import NetworkFileError, loads
from qplane.net.model import Herald

GOOD = """\
[network]
name = "stations"

[memories.m]
slots = 4
emitters = 1
move_time = "1 ms"

[nodes]
a = { memory = "m" }
b = { memory = "m" }
c = { memory = "m" }
s = { station = true }

[[links]]
between = ["a", "b"]
length = "20 km"
station = 0.25
herald = "s"
scheme = "single-click"
phase_uncertainty = "5 deg"
cycle = "10 us"

[[links]]
between = ["b", "c"]
length = "5 km"
herald = "s"
"""


def error(text):
    with pytest.raises(NetworkFileError) as raised:
        loads(text)
    return str(raised.value)


def test_a_station_has_ports_and_numbers_of_its_own():
    plan = loads(GOOD)
    first, second = plan.links
    assert first.herald == Herald("s", 0, (2, 2), (1, 2))
    assert second.herald == Herald("s", 1, (4, 2), (3, 4))
    assert (second.b.port, second.b.number) == (1, 0)
    assert plan.herald_ports("b") == [2, 4]
    assert plan.herald_ports("s") == [1, 2, 3, 4]
    assert first.arms_m == (5_000, 15_000)
    station = plan.nodes["s"]
    assert (station.program, station.has_quantum_port, station.is_quantum) == (
        "herald",
        True,
        False,
    )
    assert plan.nodes["a"].program == "qnode"


def test_links_say_their_physics_with_units():
    fibre = loads(GOOD).links[0].options.fibre()
    assert fibre.scheme == "single-click"
    assert fibre.phase_std_rad == pytest.approx(math.radians(5))
    assert fibre.station_fraction == 0.25


def test_ends_may_differ_and_photons_may_come_late():
    """Half of the photons of lifetime τ come within τ ln 2."""
    text = GOOD.replace(
        'cycle = "10 us"',
        'cycle = "10 us"\nemission_efficiency = [0.5, 0.2]\nbalanced = true\n'
        'detection_window = "6931 ps"\nphoton_lifetime = "10 ns"\n'
        "double_excitation = 0.04\npreparation_error = [0.01, 0.02]",
    )
    fibre = loads(text).links[0].options.fibre()
    assert fibre.emission_efficiency == pytest.approx((0.25, 0.1), rel=1e-4)
    assert fibre.balanced
    assert (fibre.double_excitation, fibre.preparation_error) == ((0.04, 0.04), (0.01, 0.02))


OWN = """
[network]
name = "own"
[memories.m]
slots = 4
[nodes]
a = { memory = "m" }
b = { memory = "m" }
a-b = { id = 7 }
[defaults.link]
length = "5 km"
herald = true
"""


def test_a_link_has_a_station_of_its_own_where_it_carries_qubits():
    links = [["a", "b"], ["a", "b"], ["a", "a-b"]]
    text = OWN + "".join(f"[[links]]\nbetween = {ends}\n" for ends in links)
    plan = loads(text + '[[links]]\nbetween = ["b", "a"]\nherald = false\n')
    assert [link.herald and link.herald.station for link in plan.links] == [
        "a-b-2",
        "a-b-3",
        None,
        None,
    ]
    assert [plan.nodes[name].id for name in ("a-b-2", "a-b-3")] == [8, 9]
    assert all(plan.nodes[name].is_station for name in ("a-b-2", "a-b-3"))
    assert plan.links[1].herald == ("a-b-3", 0, (4, 4), (1, 2))


def test_stations_for_all_links_that_do_not_say_otherwise():
    text = OWN.replace("herald = true\n", "")
    text += '[[links]]\nbetween = ["a", "b"]\n[[links]]\nbetween = ["b", "a"]\nherald = false\n'
    assert [link.herald for link in loads(text).links] == [None, None]
    first, second = loads(text, stations=True).links
    assert first.herald is not None and second.herald is None
    plain = text.replace('[defaults.link]\nlength = "5 km"\n', "")
    plain = plain.replace("[[links]]", '[[links]]\nlength = "5 km"')
    assert [link.herald is None for link in loads(plain, stations=True).links] == [False, True]


def test_how_many_pairs_a_station_copies():
    text = OWN + '[[links]]\nbetween = ["a", "b"]\nsample_heralds = '
    assert loads(text + "64").links[0].options.sample_heralds == 64
    assert "sample_heralds = 6: a power of two is wanted" in error(text + "6")
    assert "sample_heralds" in error(text + "0")
    without = text.replace("herald = true", "herald = false")
    assert "sample_heralds need a heralding station" in error(without + "2")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('cycle = "10 us"', "emission_efficiency = [0.5]", "one number is wanted, or two"),
        ('cycle = "10 us"', "emission_efficiency = [0.5, 2]", "emission_efficiency"),
        (
            'scheme = "single-click"',
            'scheme = "source"\ndouble_excitation = 0.1',
            "of memories that emit",
        ),
        ('herald = "s"\nscheme', 'herald = "x"\nscheme', "no such station; stations: s"),
        ('herald = "s"\nscheme', 'herald = "a"\nscheme', "no such station; stations: s"),
        ('["b", "c"]', '["b", "s"]', "a heralding station is no end of a link"),
        ("{ station = true }", '{ station = true, memory = "m" }', "has detectors and no memory"),
        ('length = "5 km"', 'length = "5 km"\nquantum = false', "there is nothing to herald"),
        ('"single-click"', '"triple-click"', "'double-click', 'single-click', 'source'"),
        ('"single-click"', '"end-to-end"', "station = 1.0 is wanted"),
        ('"5 deg"', "5", "the unit is missing"),
        ('"5 deg"', '"5 km"', "that is a length; an angle is wanted"),
        ('length = "5 km"\nherald = "s"', 'length = "5 km"\ncycle = "1 us"', "need a heralding st"),
        ("emitters = 1", "emitters = 4", "at least one is no emitter"),
        ("emitters = 1\n", "", "need emitters"),
        ('scheme = "single-click"', 'scheme = "single-click"\nbright_state = 0', "can succeed"),
        ('scheme = "single-click"', 'scheme = "source"\npair_probability = 2', "between 0 and 1"),
    ],
)
def test_each_mistake_is_one_clear_line(old, new, said):
    assert GOOD.count(old) == 1
    message = error(GOOD.replace(old, new))
    assert said in message and "\n" not in message
