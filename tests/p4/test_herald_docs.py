"""docs/herald.md lists the drop reasons, tables and registers of herald.p4."""

import re
from pathlib import Path

from diff.programs import load

from qplane.p4 import directory

DOCS = (Path(__file__).parents[2] / "docs/herald.md").read_text(encoding="utf-8")


def test_drop_reasons_are_documented_by_index():
    source = (directory() / "include/herald_metadata.p4").read_text(encoding="utf-8")
    reasons = {
        int(number): name
        for name, number in re.findall(r"const bit<32> HERALD_DROP_(\w+) = (\d+);", source)
        if name != "NONE"
    }
    section = DOCS.split("| index | reason |")[1].split("\n\n")[0]
    assert {int(n): name for n, name in re.findall(r"^\| (\d+) \| (\w+)", section, re.M)} == reasons


def test_every_table_register_and_counter_is_documented():
    info = load("herald").p4info
    for item in (*info.tables, *info.registers):
        assert f"`{item.preamble.alias}`" in DOCS, item.preamble.alias
    for counter in info.counters:
        assert f"`{counter.preamble.name}`" in DOCS, counter.preamble.name
