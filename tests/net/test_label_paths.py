"""[[label_paths]] and [telemetry]: what is taken, and what is refused with its place."""

import pytest

from qplane.net import NetworkFileError, loads

TEXT = """
[network]
name = "n"
[nodes]
a = {}
b = {}
[[links]]
between = ["a", "b"]
length = "10 km"
[slices.red]
classical_rate = "80 kb/s"
[telemetry]
anomalies = true
[[hosts]]
name = "h1"
node = "a"
ip = "10.0.0.1"
[[hosts]]
name = "h2"
node = "b"
ip = "10.0.0.2"
[[label_paths]]
name = "p"
from = "h1"
to = "h2"
label = 1000
slice = "red"
[[label_paths]]
name = "q"
from = "h2"
to = "h1"
label = 1001
"""


def test_paths_have_a_label_and_a_slice():
    first, second = loads(TEXT).label_paths
    assert (first.source, first.target, first.label, first.slice) == ("h1", "h2", 1000, "red")
    assert (second.label, second.slice) == (1001, "default")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("label = 1001", "label = 1000", r"label_paths\[1\].label = 1000: path p has it too"),
        ("label = 1001", "label = 15", r"label_paths\[1\].label = 15: should be at least 16"),
        ("label = 1001", "label = 1048576", "should be less than 1048576"),
        ('name = "q"', 'name = "p"', "names are unique"),
        ('to = "h1"', 'to = "h3"', "no such host; hosts: h1, h2"),
        ('to = "h1"', 'to = "h2"', "a path joins two hosts"),
        ('slice = "red"', 'slice = "blue"', "no such slice; there are: red"),
        ("label = 1000", "labl = 1000\nlabel = 1000", 'did you mean "label"'),
        ("anomalies", "anomalys", 'did you mean "anomalies"'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old, new, said):
    with pytest.raises(NetworkFileError, match=said):
        loads(TEXT.replace(old, new, 1))
