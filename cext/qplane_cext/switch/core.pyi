"""The embedded switch's packet path: a BMv2 JSON compiled to a flat program, and its run-time state.

One :class:`Pipeline` (immutable) can be shared by any number of :class:`SwitchCore` (one per
device id). Byte strings are big-endian and exactly ``ceil(bitwidth / 8)`` bytes wide here; what
P4Runtime allows beyond that (leading zeros, canonical shortest form) is the server's business.
Names are those of the JSON (fully qualified P4 names).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple

MatchKind = Literal["exact", "lpm", "ternary", "range"]

class PipelineError(ValueError):
    """The JSON is malformed or uses what is not supported; names the construct and source line."""

class SwitchError(Exception):
    """A control-plane call that can't be done. Nothing was changed.

    ``reason`` is one of "NOT_FOUND", "ALREADY_EXISTS", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT",
    "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED", "PERMISSION_DENIED".
    """

    reason: str

class KeyInfo(NamedTuple):
    name: str
    kind: MatchKind
    bitwidth: int

class ActionInfo(NamedTuple):
    name: str
    action_id: int  # the JSON's id, unique per pipeline
    param_bitwidths: tuple[int, ...]

class TableInfo(NamedTuple):
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
    name: str
    size: int
    bitwidth: int  # registers; 0 otherwise
    unit: Literal["packets", "bytes", "both", ""]
    table: str | None  # direct counters and meters

class DigestInfo(NamedTuple):
    name: str
    digest_id: int
    bitwidths: tuple[int, ...]

class Pipeline:
    """A compiled program. Raises PipelineError when it can't run exactly as written."""

    def __init__(self, json: bytes) -> None: ...
    program: str
    tables: Mapping[str, TableInfo]
    actions: Mapping[str, Sequence[ActionInfo]]
    registers: Mapping[str, ArrayInfo]
    counters: Mapping[str, ArrayInfo]
    meters: Mapping[str, ArrayInfo]
    digests: Mapping[str, DigestInfo]
    value_sets: Mapping[str, tuple[int, ...]]  # name -> bit widths of its key fields

# A key component: exact -> value; lpm -> (value, prefix_length); ternary -> (value, mask);
# range -> (low, high).
KeyPart = bytes | tuple[bytes, int] | tuple[bytes, bytes]
# What a match runs: ("action", action_id, params) | ("member", handle) | ("group", handle).
Target = tuple[Literal["action"], int, Sequence[bytes]] | tuple[Literal["member", "group"], int]
MeterRates = tuple[float, int, float, int]  # cir, cburst, pir, pburst; per second / units

class SwitchCore:
    """One v1model switch: tables, registers and so on for one device id.

    Thread safe: one lock guards packets and control calls, so that no packet sees half an update.
    ``emit`` collects output packets of ``process``; from Cython, ``c_process`` calls a C function
    pointer instead (core.pxd).
    """

    def __init__(self, *, cpu_port: int = 510, drop_port: int = 511) -> None: ...
    pipeline: Pipeline | None
    cpu_port: int
    drop_port: int
    def hold(self) -> AbstractContextManager[None]:
        """Keep packets out while control calls of this thread make up one atomic change.

        Re-entrant; the control methods work inside it."""
    def commit(self, pipeline: Pipeline, *, keep_state: bool = False) -> None:
        """Swap the program in atomically; state starts empty with the const entries in.

        keep_state (reconcile) keeps entries and arrays whose definitions are unchanged."""
    def process(self, port: int, data: bytes, now_us: int | None = None) -> list[tuple[int, bytes]]: ...
    # ---- table entries: handles are ints, never reused while the entry lives ----
    def table_add(self, table: str, key: Sequence[KeyPart], priority: int, target: Target) -> int:
        """priority: larger wins (P4Runtime's); 0 where the table has no ternary/range key."""
    def table_modify(self, table: str, handle: int, target: Target) -> None: ...
    def table_delete(self, table: str, handle: int) -> None: ...
    def table_set_default(self, table: str, target: Target | None) -> None:
        """None resets to the program's own default."""
    def table_default(self, table: str) -> Target | None: ...
    def table_entries(self, table: str) -> list[tuple[int, Sequence[KeyPart], int, Target, bool]]:
        """(handle, key, priority, target, is_const) of every entry."""
    def table_set_timeout(self, table: str, handle: int, timeout_ns: int) -> None: ...
    def table_idle_ns(self, table: str, handle: int) -> int:
        """Time since the last hit."""
    # ---- action profiles and selectors ----
    def member_add(self, profile: str, action_id: int, params: Sequence[bytes]) -> int: ...
    def member_modify(self, profile: str, handle: int, action_id: int, params: Sequence[bytes]) -> None: ...
    def member_delete(self, profile: str, handle: int) -> None: ...
    def group_add(self, profile: str) -> int: ...
    def group_set(self, profile: str, handle: int, members: Sequence[tuple[int, int]]) -> None:
        """(member handle, weight) pairs; replaces the whole group."""
    def group_delete(self, profile: str, handle: int) -> None: ...
    # ---- arrays ----
    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        """(packets, bytes). For direct counters the index is the entry handle, -1 the default."""
    def counter_write(self, name: str, index: int, packets: int, nbytes: int) -> None: ...
    def meter_read(self, name: str, index: int) -> MeterRates | None: ...
    def meter_write(self, name: str, index: int, rates: MeterRates | None) -> None: ...
    def register_read(self, name: str, index: int) -> bytes: ...
    def register_read_all(self, name: str) -> list[bytes]: ...
    def register_write(self, name: str, index: int, value: bytes) -> None: ...
    # ---- packet replication ----
    def multicast_set(self, group: int, replicas: Sequence[tuple[int, int]]) -> None:
        """(egress port, replication id) pairs; an empty list deletes the group."""
    def clone_session_set(
        self, session: int, replicas: Sequence[tuple[int, int]], packet_length_bytes: int = 0,
        class_of_service: int = 0,
    ) -> None: ...
    def clone_session_delete(self, session: int) -> None: ...
    # ---- value sets, digests ----
    def value_set_write(self, name: str, members: Sequence[Sequence[tuple[bytes, bytes]]]) -> None:
        """Each member is one (value, mask) per key field."""
    def on_digest(self, callback: Callable[[int, bytes], None] | None) -> None:
        """Called (digest_id, packed field bytes, each field byte aligned) for each digest."""
    # ---- observation ----
    stats: Mapping[str, int]  # processed, dropped, register_index_out_of_range, assert_failed, ...
