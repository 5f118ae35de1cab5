"""Network files: what is read from a good one, and the one clear error that each bad one gives."""

from pathlib import Path

import pytest

from qplane.net import NetworkFileError, load, loads
from qplane.net.chain import chain

EXAMPLES = Path(__file__).parents[2] / "examples"

GOOD = """\
[network]
name = "small"
seed = 3

[memories.m]
slots = 2
t1 = "1 s"
t2 = "100 ms"

[nodes]
a = { memory = "m" }
r = { memory = "m" }
b = { memory = "m", id = 9 }
c = {}

[defaults.link]
attenuation = "0.3 dB/km"

[[links]]
between = ["a", "r"]
length = "10 km"

[[links]]
between = ["r", "b"]
length = "12 km"
attenuation = "0.2 dB/km"

[[links]]
between = ["b", "c"]
length = "1 km"

[[circuits]]
name = "ab"
from = "a"
to = "b"
slots = 1
cutoff = "5 ms"

[[hosts]]
name = "h1"
node = "a"
ip = "10.0.1.1"

[[hosts]]
name = "h2"
node = "c"
ip = "10.0.2.1"

[[pings]]
from = "h1"
to = "h2"
interval = "1 ms"
count = 3
"""


def test_a_good_file():
    network = loads(GOOD)
    assert network.seed == 3
    assert [(node.name, node.id) for node in network.nodes.values()] == [
        ("a", 1),
        ("r", 2),
        ("b", 9),
        ("c", 3),
    ]
    first, second, third = network.links
    assert (first.a, first.b) == (("a", 1, 0), ("r", 1, 0))
    assert (second.a, second.b) == (("r", 2, 1), ("b", 1, 0))
    assert (third.quantum, third.a.number, third.b) == (False, -1, ("c", 1, -1))
    assert first.options.attenuation == 0.3
    assert second.options.attenuation == 0.2
    assert first.delay_ps == 50_000_000
    circuit = network.circuits["ab"]
    assert list(circuit.nodes()) == ["a", "r", "b"]
    assert circuit.cutoff_ps == 5_000_000_000
    assert (network.hosts["h1"].port, network.hosts["h2"].port) == (2, 2)
    assert network.pings[0].count == 3


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_load(path):
    assert load(path).nodes


def test_t2_follows_from_t1_alone():
    memory = loads(GOOD.replace('t2 = "100 ms"\n', "")).nodes["a"].memory
    assert memory is not None
    assert memory.t2_ps == 2 * memory.t1_ps


BAD = {
    "unknown key": (
        'length = "10 km"',
        'lenght = "10 km"',
        'net.toml, line 21: links[0].lenght = "10 km": unknown key; did you mean "length"?',
    ),
    "unknown section": (
        "[network]",
        "[colours]\nred = 1\n\n[network]",
        "net.toml, line 1: colours: unknown key",
    ),
    "missing key": ('name = "small"\n', "", "net.toml, line 1: network.name: is missing"),
    "missing unit": (
        '"10 km"',
        "10",
        "line 21: links[0].length = 10: the unit is missing; a length is written like",
    ),
    "wrong dimension": ('"10 km"', '"10 ms"', 'links[0].length = "10 ms": that is a time; a len'),
    "negative length": ('"10 km"', '"-10 km"', 'links[0].length = "-10 km": a length can\'t be'),
    "length beyond the clock": ('"10 km"', '"1e300 km"', 'length = "1e300 km": too long'),
    "link that never heralds": (
        'attenuation = "0.2 dB/km"',
        "detector_efficiency = 0",
        "line 23: links[1]: no attempt on this link can succeed",
    ),
    "detectors that always click": (
        'attenuation = "0.2 dB/km"',
        'dark_counts = "1e11 GHz"',
        "links[1]: no attempt on this link can succeed",
    ),
    "cut-off before the herald": (
        '"5 ms"',
        '"60 us"',
        'circuits[0].cutoff = "60 us": no pair could be swapped at node r: a herald on link r-b '
        "comes 60 us after",
    ),
    "address of no host": ("10.0.2.1", "224.0.0.1", "hosts[1].ip"),
    "address as a number": ('"10.0.2.1"', "7", "hosts[1].ip = 7: an IPv4 address is wanted"),
    "zero length": ('"10 km"', '"0 km"', 'links[0].length = "0 km": a length must be greater'),
    "length not finite": ('"10 km"', "inf", "links[0].length = inf: the unit is missing"),
    "default in error": (
        '"0.3 dB/km"',
        '"0.3"',
        'line 17: links[0].attenuation = "0.3": the unit is missing',
    ),
    "link to nowhere": (
        '["a", "r"]',
        '["a", "x"]',
        'line 20: links[0].between[1] = "x": no such node; nodes: a, r, b, c',
    ),
    "link to itself": ('["a", "r"]', '["a", "a"]', "links[0]: a link joins two different nodes"),
    "link with one end": ('["a", "r"]', '["a"]', "links[0].between: should"),
    "quantum link to a classical node": (
        'length = "1 km"',
        'length = "1 km"\nquantum = true',
        "links[2].quantum = true: node c has no memory",
    ),
    "T2 > 2 T1": ('"100 ms"', '"3 s"', "line 5: memories.m: t2 is longer than 2·t1"),
    "no memory of that name": ('"m", id', '"x", id', 'nodes.b.memory = "x": no such memory; mem'),
    "no slots": ("slots = 2", "slots = 0", "memories.m.slots = 0: should be at least 1"),
    "no path": (
        'between = ["r", "b"]',
        'quantum = false\nbetween = ["r", "b"]',
        'circuits[0].to = "b": no path: no chain of quantum links leads there from a',
    ),
    "circuit from a classical node": (
        'from = "a"\nto = "b"',
        'from = "c"\nto = "b"',
        'circuits[0].from = "c": this node has no memory',
    ),
    "circuit to itself": ('to = "b"', 'to = "a"', "circuits[0]: a circuit joins two different"),
    "more circuits than slots": (
        "slots = 1",
        "slots = 2",
        "circuits[0].slots = 2: more circuits than slots: the circuits up to this one need 4 "
        "slots at node r, which has 2",
    ),
    "two nodes with one id": (
        "c = {}",
        "c = { id = 9 }",
        "nodes.c.id = 9: node b has it too; ids are unique",
    ),
    "two hosts with one name": ('name = "h2"', 'name = "h1"', 'hosts[1].name = "h1": another ho'),
    "two hosts with one address": ("10.0.2.1", "10.0.1.1", "host h1 has this address too"),
    "not an address": ("10.0.2.1", "10.0.2", 'hosts[1].ip = "10.0.2": an IPv4 address is wanted'),
    "host on no node": ('node = "c"', 'node = "x"', 'hosts[1].node = "x": no such node'),
    "ping to no host": ('to = "h2"', 'to = "h3"', 'pings[0].to = "h3": no such host; hosts: h1, '),
    "text for a number": (
        "count = 3",
        'count = "3"',
        'pings[0].count = "3": should be a whole number',
    ),
    "station outside the fibre": (
        'length = "10 km"',
        'length = "10 km"\nstation = 1.5',
        "links[0].station = 1.5: should be at most 1",
    ),
    "scheme unknown": (
        'length = "10 km"',
        'length = "10 km"\nscheme = "triple"',
        "links[0].scheme = \"triple\": should be 'double-click'",
    ),
    "probability": (
        'length = "10 km"',
        'length = "10 km"\nvisibility = 98',
        "links[0].visibility = 98: a probability lies between 0 and 1",
    ),
    "one node twice": ("c = {}", "c = {}\na = {}", "net.toml: is not TOML: "),
    "not TOML": ("[nodes]", "[nodes", "net.toml: is not TOML: "),
    "name with blanks": (
        'name = "ab"',
        'name = "a b"',
        'circuits[0].name = "a b": a name consists',
    ),
    "name of dots": ('name = "ab"', 'name = ".."', 'circuits[0].name = "..": a name has a letter'),
    "a list for a table": ("c = {}", "c = []", "nodes.c: should be a table"),
    "a table for a list": (
        'between = ["a", "r"]',
        "between = {}",
        "links[0].between: should be a list; in TOML",
    ),
    "three ends": (
        '["a", "r"]',
        '["a", "r", "b"]',
        "between: should be a list of at most 2, not of",
    ),
    "fidelity of noise": (
        "slots = 1",
        "fidelity = 0.2",
        "circuits[0].fidelity = 0.2: a fidelity that can be asked for lies between 0.25 and 1",
    ),
    "fidelity with a unit": (
        "slots = 1",
        'fidelity = "0.9 km"',
        'circuits[0].fidelity = "0.9 km": a fidelity is wanted: a number like 0.9',
    ),
    "tunnel with one address": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["192.0.2.1"]',
        "links[0].tunnel: should be a list of at least 2, not of 1",
    ),
    "tunnel between names": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["192.0.2.1", "r"]',
        'links[0].tunnel[1] = "r": an IPv4 or IPv6 address is wanted, like "192.0.2.1"',
    ),
    "tunnel to itself": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["192.0.2.1", "192.0.2.1"]',
        "links[0].tunnel: both are 192.0.2.1; the two nodes have different addresses",
    ),
    "tunnel of two families": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["192.0.2.1", "2001:db8::1"]',
        "links[0].tunnel: 192.0.2.1 and 2001:db8::1 don't go together; both are IPv4",
    ),
    "tunnel at a multicast address": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["192.0.2.1", "224.0.0.1"]',
        'links[0].tunnel[1] = "224.0.0.1": no node can have this address',
    ),
    "tunnel at a host's address": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["10.0.1.1", "192.0.2.2"]',
        'line 22: links[0].tunnel[0] = "10.0.1.1": host h1 has this address',
    ),
    "tunnel of a classical link": (
        'length = "1 km"',
        'length = "1 km"\ntunnel = ["192.0.2.1", "192.0.2.2"]',
        "links[2].tunnel: this link carries no qubits",
    ),
    "tunnel without a way": (
        'length = "10 km"',
        'length = "10 km"\ntunnel = ["192.0.2.1", "192.0.2.2"]',
        "links[0].tunnel: no way for the tunnel: no chain of links without a tunnel leads from a",
    ),
    "rate without unit": ("slots = 1", "rate = 20", "circuits[0].rate = 20: the unit is missing"),
    "timer too long": ('"5 ms"', '"1e9 s"', 'circuits[0].cutoff = "1e9 s": too long for a 64-bit'),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gives_one_clear_error(case):
    old, new, message = BAD[case]
    assert old in GOOD
    with pytest.raises(NetworkFileError) as caught:
        loads(GOOD.replace(old, new, 1), file="net.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("net.toml")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NetworkFileError, match=r"no\.toml: can't be read: No such file"):
        load(tmp_path / "no.toml")


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkFileError, match="is not a text file"):
        load(path)


@pytest.mark.parametrize("nodes", [2, 3, 9, 129])
def test_a_generated_chain_loads(nodes):
    network = loads(chain(nodes, length="7 km", slots=3))
    assert len(network.links) == nodes - 1
    assert list(network.circuits["end-to-end"].nodes()) == [f"n{k + 1}" for k in range(nodes)]


@pytest.mark.parametrize(("nodes", "slots"), [(1, 1), (-3, 1), (3, 0)])
def test_an_impossible_chain_is_refused(nodes, slots):
    with pytest.raises(ValueError, match="at least"):
        chain(nodes, slots=slots)


def test_a_circuit_takes_the_path_with_the_least_fibre():
    ring = GOOD.replace(
        "[[circuits]]", '[[links]]\nbetween = ["a", "b"]\nlength = "21 km"\n\n[[circuits]]', 1
    )
    assert [link.name for link in loads(ring).circuits["ab"].path] == ["a-b"]
    longer = ring.replace("21 km", "23 km")
    assert [link.name for link in loads(longer).circuits["ab"].path] == ["a-r", "r-b"]
