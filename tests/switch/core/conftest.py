"""Programs of tests/switch/programs, compiled once, and switches that run them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from qplane_cext.switch.core import Pipeline, SwitchCore

PROGRAMS = Path(__file__).parent.parent / "programs"


@cache
def pipeline(name: str) -> Pipeline:
    return Pipeline((PROGRAMS / f"{name}.json").read_bytes())


@pytest.fixture
def switch() -> Callable[..., SwitchCore]:
    """A fresh switch that runs the program of a name."""

    def make(name: str, **options: int) -> SwitchCore:
        core = SwitchCore(**options)
        core.commit(pipeline(name))
        return core

    return make


def action(core: SwitchCore, table: str, name: str, *values: int) -> tuple:
    """The target that runs an action of a table, its parameters given as numbers."""
    number = core.pipeline.tables[table].action_ids[name]
    info = next(one for one in core.pipeline.actions[name] if one.action_id == number)
    params = [
        value.to_bytes((bits + 7) // 8, "big")
        for value, bits in zip(values, info.param_bitwidths, strict=True)
    ]
    return ("action", number, tuple(params))
