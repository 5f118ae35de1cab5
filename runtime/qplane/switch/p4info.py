"""The index of a P4Info, tied to the compiled pipeline: ids on one side, names on the other.

Everything that a request may name is looked up here. A P4Info that does not describe the
pipeline it comes with is refused, with the first difference named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from finsy.proto import p4i

from qplane_cext.switch.core import Pipeline

from .errors import invalid
from .p4data import DataType
from .packet_io import ControllerHeader


class MatchKind(Enum):
    """How a key field matches; ``core`` is what the packet path calls it."""

    EXACT = "exact"
    LPM = "lpm"
    TERNARY = "ternary"
    RANGE = "range"
    OPTIONAL = "optional"

    @property
    def core(self) -> str:
        """The packet path knows no optional keys: they are ternary with a full or empty mask."""
        return "ternary" if self is MatchKind.OPTIONAL else self.value


@dataclass(frozen=True)
class MatchField:
    """One field of a key. ``bitwidth`` is P4Info's, ``width`` the bytes the packet path takes."""

    id: int
    name: str
    kind: MatchKind
    bitwidth: int
    position: int
    full: bytes  # all ones: a full mask, the end of the range of all values
    is_text: bool = False  # translated to strings, which can't be written: see docs/p4runtime.md

    @property
    def width(self) -> int:
        """Bytes of a value in the packet path."""
        return len(self.full)


@dataclass(frozen=True)
class ActionParam:
    """A run-time parameter of an action."""

    id: int
    name: str
    bitwidth: int
    is_text: bool = False  # as in MatchField


@dataclass(frozen=True)
class Action:
    """An action with its parameters in declaration order."""

    id: int
    name: str
    params: tuple[ActionParam, ...]
    positions: Mapping[int, int]  # parameter id -> its place in ``params``


class Scope(Enum):
    """Where in a table an action may be used."""

    TABLE_AND_DEFAULT = 0
    TABLE_ONLY = 1
    DEFAULT_ONLY = 2
    GROUP_ACTION = 3


@dataclass(frozen=True)
class ActionRef:
    """An action as one table or profile uses it."""

    action: Action
    scope: Scope
    core_id: int  # the JSON's action id


@dataclass(frozen=True)
class Profile:
    """An action profile or, ``with_selector``, an action selector."""

    id: int
    name: str
    with_selector: bool
    size: int  # 0: no limit
    max_group_size: int
    sum_of_members: bool
    max_member_weight: int  # 0: no limit
    weights_disallowed: bool
    tables: tuple[int, ...]
    actions: Mapping[int, ActionRef]


@dataclass(frozen=True)
class Table:
    """A match-action table."""

    id: int
    name: str
    fields: tuple[MatchField, ...]
    fields_by_id: Mapping[int, MatchField]
    actions: Mapping[int, ActionRef]  # by P4Info action id
    by_core_id: Mapping[int, ActionRef]
    needs_priority: bool
    is_const: bool
    is_initial: bool  # has entries that came with the program but may be changed
    const_default: bool
    has_timeout: bool
    profile: Profile | None
    counter: str | None  # the direct counter's and meter's names
    meter: str | None
    meter_spec: p4i.MeterSpec | None
    size: int


@dataclass(frozen=True)
class Array:
    """An indexed counter, meter or register."""

    id: int
    name: str
    size: int
    meter_spec: p4i.MeterSpec | None = None
    type: DataType | None = None  # registers


@dataclass(frozen=True)
class ValueSet:
    """A parser value set."""

    id: int
    name: str
    size: int
    fields: tuple[MatchField, ...]
    fields_by_id: Mapping[int, MatchField]


@dataclass(frozen=True)
class Digest:
    """A digest; ``core_id`` is the learn list's id in the JSON."""

    id: int
    name: str
    core_id: int
    type: DataType
    widths: tuple[int, ...]  # bits of each leaf field


_Known = TypeVar("_Known")


@dataclass
class P4InfoIndex:
    """A P4Info by id. See :mod:`.p4info_index`."""

    message: p4i.P4Info
    pipeline: Pipeline
    packet_in: ControllerHeader
    packet_out: ControllerHeader
    tables: dict[int, Table] = field(default_factory=dict)
    actions: dict[int, Action] = field(default_factory=dict)
    profiles: dict[int, Profile] = field(default_factory=dict)
    counters: dict[int, Array] = field(default_factory=dict)
    meters: dict[int, Array] = field(default_factory=dict)
    registers: dict[int, Array] = field(default_factory=dict)
    value_sets: dict[int, ValueSet] = field(default_factory=dict)
    digests: dict[int, Digest] = field(default_factory=dict)

    def table(self, p4_id: int) -> Table:
        """INVALID_ARGUMENT when there is no such table; so do the other look-ups."""
        return self._lookup(self.tables, p4_id, "table")

    def profile(self, p4_id: int) -> Profile:
        """The action profile or selector of that id."""
        return self._lookup(self.profiles, p4_id, "action profile")

    def counter(self, p4_id: int) -> Array:
        """The indexed counter of that id."""
        return self._lookup(self.counters, p4_id, "counter")

    def meter(self, p4_id: int) -> Array:
        """The indexed meter of that id."""
        return self._lookup(self.meters, p4_id, "meter")

    def register(self, p4_id: int) -> Array:
        """The register array of that id."""
        return self._lookup(self.registers, p4_id, "register")

    def value_set(self, p4_id: int) -> ValueSet:
        """The parser value set of that id."""
        return self._lookup(self.value_sets, p4_id, "value set")

    def digest(self, p4_id: int) -> Digest:
        """The digest of that id."""
        return self._lookup(self.digests, p4_id, "digest")

    def _lookup(self, objects: Mapping[int, _Known], p4_id: int, kind: str) -> _Known:
        found = objects.get(p4_id)
        if found is not None:
            return found
        if p4_id == 0:
            raise invalid(f"{kind} id is not set")
        # The id is well formed but names nothing: the reference and the specification's examples
        # agree that this is a malformed entity, not a missing one.
        for item in getattr(self.message, kind.replace(" ", "_") + "s"):
            if item.preamble.id == p4_id:
                raise invalid(
                    f"{kind} {item.preamble.name!r} is in the P4Info, but the device config (the "
                    "BMv2 JSON) lacks it: the compiler leaves out what no packet can reach"
                )
        raise invalid(f"no {kind} with id {p4_id:#x} in the P4Info")

    def initial_tables(self) -> list[str]:
        """The tables whose entries in the program are only where they start from."""
        return [table.name for table in self.tables.values() if table.is_initial]
