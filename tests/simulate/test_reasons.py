"""The names of counter indices are those of the P4 source."""

import re

import pytest

from qplane.p4 import directory
from qplane.simulate import reasons


@pytest.mark.parametrize(("prefix", "names"), [("DROP", reasons.DROPS), ("EVENT", reasons.EVENTS)])
def test_every_index_of_the_program_has_its_name(prefix, names):
    source = (directory() / "include/metadata.p4").read_text()
    found = re.findall(rf"const bit<32> {prefix}_(\w+) = (\d+);", source)
    in_source = {int(index): name.lower().replace("_", " ") for name, index in found}
    in_source.pop(0, None)  # DROP_NONE
    assert in_source == names
