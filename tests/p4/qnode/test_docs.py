"""docs/p4.md lists the drop reasons, events and states of the program, and its tables."""

import re
from pathlib import Path

import pytest

from qplane.p4 import directory

from .node import names, pipeline

DOCS = (Path(__file__).parents[3] / "docs/p4.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("prefix", "title"), [("DROP", "reason"), ("EVENT", "event")])
def test_counters_are_documented_by_index(prefix: str, title: str) -> None:
    section = DOCS.split(f"| index | {title} |")[1].split("\n\n")[0]
    documented = {int(n): name for n, name in re.findall(r"^\| (\d+) \| (\w+)", section, re.M)}
    assert documented == names(prefix)


def test_states_are_documented() -> None:
    source = (Path(directory()) / "include/records.p4").read_text(encoding="utf-8")
    states = {name: number for name, number in re.findall(r"const bit<4> (\w+) = (\d);", source)}
    assert {name: n for n, name in re.findall(r"^\| (\d) ([A-Z]+) \|", DOCS, re.M)} == states


def test_every_table_and_register_is_documented() -> None:
    for name, info in pipeline().tables.items():
        if info.keys:
            assert f"`{name.split('.', 1)[1]}`" in DOCS, name
    for name in pipeline().registers:
        assert f"`{name}`" in DOCS, name
