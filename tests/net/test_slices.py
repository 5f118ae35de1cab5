"""[slices.NAME]: what stands in the file becomes numbers, rates and ranges of slots."""

import pytest

from qplane.net import NetworkFileError, loads

TEXT = """
[network]
name = "n"
[memories.m]
slots = 8
[nodes]
a = { memory = "m" }
r = { memory = "m" }
b = { memory = "m" }
[[links]]
between = ["a", "r"]
length = "10 km"
[[links]]
between = ["r", "b"]
length = "10 km"
[slices.blue]
qci_rate = "5 kmsg/s"
qci_burst = 7
classical_rate = "1 MB/s"
slots = "0-3"
[slices.red]
classical_rate = "80 kb/s"
classical_burst = "3 kB"
slots = { r = "4-7" }
[[circuits]]
name = "one"
from = "a"
to = "b"
slots = 2
slice = "blue"
[[hosts]]
name = "h"
node = "a"
ip = "10.0.0.1"
slice = "red"
"""


def test_rates_bursts_and_ranges():
    network = loads(TEXT)
    blue, red = network.slices.values()
    assert (blue.number, blue.qci_per_s, blue.qci_burst) == (1, 5000, 7)
    assert (blue.classical_bytes_per_s, blue.classical_burst_bytes) == (1e6, 100_000)
    assert blue.slots == {"a": (0, 3), "r": (0, 3), "b": (0, 3)}
    assert (red.number, red.qci_per_s, red.classical_bytes_per_s) == (2, 0, 10_000)
    assert red.classical_burst_bytes == 3000
    assert red.slots == {"r": (4, 7)}
    assert network.circuits["one"].slice == "blue"
    assert network.hosts["h"].slice == "red"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"0-3"', '"3-0"', "slices.blue.slots.*0-3 would be one"),
        ('"0-3"', '"0-8"', "blue.slots = .*node a has the slots 0 to 7"),
        ('"0-3"', '"0-4"', "red.slots.r.*slice blue has slots 0-4 of node r"),
        ('r = "4-7"', 'x = "4-7"', "no node with a memory is named x"),
        ('"5 kmsg/s"', '"5 kHz"', "that is a frequency; a message rate is wanted"),
        ('"1 MB/s"', '"1 km"', "that is a length; a data rate is wanted"),
        ('qci_rate = "5 kmsg/s"\n', "", "qci_burst needs qci_rate"),
        ('slice = "blue"', 'slice = "green"', "no such slice; there are: blue, red"),
        ("slots = 2", "slots = 3", "need 6 slots at node r, which has 4 for slice blue"),
    ],
)
def test_mistakes_give_one_clear_line(old, new, said):
    assert TEXT.count(old) == 1
    with pytest.raises(NetworkFileError, match=said) as caught:
        loads(TEXT.replace(old, new))
    assert "\n" not in str(caught.value)
