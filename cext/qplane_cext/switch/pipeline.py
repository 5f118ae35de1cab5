"""A loaded program: compiled once, shared by any number of switches.

The compiler is imported with the first program: a switch that waits for one starts sooner.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import PipelineError
from .info import ActionInfo, ArrayInfo, DigestInfo, KeyInfo, ProfileInfo, TableInfo
from .program import Compiled

if TYPE_CHECKING:
    from .compiler.control import Table
    from .compiler.program import Array, Program


class Pipeline:
    """A compiled program. Raises PipelineError when it can't run exactly as written."""

    def __init__(self, json: bytes) -> None:
        self._json = bytes(json)
        self._compiled = _build(self._json, traced=False)
        self._traced: Any = None
        try:
            self._describe(self._compiled.source)
        except TypeError as error:  # a name that is no string
            raise PipelineError(f"malformed BMv2 JSON: {error}") from error

    def _describe(self, source: Program) -> None:
        self.program = source.name
        self.tables = {one.name: _table_info(source, one) for one in source.tables}
        self.actions: dict[str, list[ActionInfo]] = {}
        for one in source.actions:
            self.actions.setdefault(one.name, []).append(
                ActionInfo(one.name, one.id, tuple(one.bits))
            )
        self.registers = _arrays(source.registers)
        self.counters = _arrays(source.counters)
        self.meters = _arrays(source.meters)
        self.profiles = {
            one.name: ProfileInfo(
                one.name,
                one.max_size,
                one.calculation >= 0,
                tuple(one.actions),
            )
            for one in source.profiles
        }
        self.digests = [  # p4c may give several the same name
            DigestInfo(one.name, one.id, tuple(bits for _, bits, _ in one.fields))
            for one in source.digests
        ]
        self.errors = dict(source.errors)  # P4's errors by name
        self.enums = source.enums
        self.header_types = {
            one.name: tuple((item.name, item.bits) for item in one.fields)
            for one in source.layout.types.values()
        }
        self.value_sets = {one.name: tuple(one.fields) for one in source.value_sets}

    def compiled(self, traced: bool) -> Any:
        """The program in C structures; the one with tracing is compiled when first asked for."""
        if not traced:
            return self._compiled
        if self._traced is None:
            self._traced = _build(self._json, traced=True)
        return self._traced


def _build(json: bytes, *, traced: bool) -> Any:
    from .compiler.program import compile_json

    try:
        with _no_collection():
            return Compiled(compile_json(json, traced=traced))
    except OverflowError as error:
        raise PipelineError(f"a number in the JSON is too large: {error}") from None


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: it would look again and again at trees that are all in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _table_info(source: Program, table: Table) -> TableInfo:
    return TableInfo(
        name=table.name,
        keys=tuple(KeyInfo(key.name, key.kind, key.bits) for key in table.keys),
        max_size=table.max_size,
        actions=tuple(table.actions),
        implementation=table.type,
        profile=source.profiles[table.profile].name if table.profile >= 0 else None,
        has_counter=table.has_counter,
        meter=source.meters[table.meter].name if table.meter >= 0 else None,
        support_timeout=table.timeout,
        const_default=table.const_default,
        has_const_entries=table.const_entries,
        action_ids={source.actions[i].name: source.actions[i].id for i in table.action_indices},
    )


def _arrays(arrays: Iterable[Array]) -> dict[str, ArrayInfo]:
    return {
        one.name: ArrayInfo(one.name, one.size, one.bits, one.unit, one.table) for one in arrays
    }
