"""What a pipeline tells about itself: plain records for the control plane."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

MatchKind = Literal["exact", "lpm", "ternary", "range"]


class KeyInfo(NamedTuple):
    """One component of a table's key."""

    name: str
    kind: MatchKind
    bitwidth: int


class ActionInfo(NamedTuple):
    """An action; several may share a name, the id is unique in the pipeline."""

    name: str
    action_id: int
    param_bitwidths: tuple[int, ...]


class TableInfo(NamedTuple):
    """A table as the JSON declares it."""

    name: str
    keys: tuple[KeyInfo, ...]
    max_size: int
    actions: tuple[str, ...]
    action_ids: Mapping[str, int]  # of ``actions``: p4c repeats an action per table, ids differ
    implementation: Literal["simple", "indirect", "indirect_ws"]
    profile: str | None
    has_counter: bool
    meter: str | None
    support_timeout: bool
    const_default: bool
    has_const_entries: bool


class ArrayInfo(NamedTuple):
    """A register, counter or meter array."""

    name: str
    size: int
    bitwidth: int  # registers; 0 otherwise
    unit: Literal["packets", "bytes", "both", ""]
    table: str | None  # direct counters and meters


class DigestInfo(NamedTuple):
    """A digest's id and the widths of its fields."""

    name: str
    digest_id: int
    bitwidths: tuple[int, ...]


class ProfileInfo(NamedTuple):
    """An action profile, with or without a selector."""

    name: str
    max_size: int
    has_selector: bool
    actions: tuple[str, ...]
