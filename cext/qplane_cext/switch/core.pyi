"""The embedded switch's packet path: a BMv2 JSON compiled to a flat program, and its state.

One :class:`Pipeline` (immutable) can be shared by any number of :class:`SwitchCore` (one per
device id). Byte strings are big-endian and exactly ``ceil(bitwidth / 8)`` bytes wide here; what
P4Runtime allows beyond that (leading zeros, canonical shortest form) is the server's business.
Names are those of the JSON (fully qualified P4 names).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import PipelineError as PipelineError
from .errors import SwitchError as SwitchError
from .info import ActionInfo as ActionInfo
from .info import ArrayInfo as ArrayInfo
from .info import DigestInfo as DigestInfo
from .info import KeyInfo as KeyInfo
from .info import MatchKind as MatchKind
from .info import ProfileInfo as ProfileInfo
from .info import TableInfo as TableInfo
from .tracing import TraceEvent as TraceEvent

class Pipeline:
    """A compiled program. Raises PipelineError when it can't run exactly as written."""

    def __init__(self, json: bytes) -> None: ...
    program: str
    tables: Mapping[str, TableInfo]
    actions: Mapping[str, Sequence[ActionInfo]]
    registers: Mapping[str, ArrayInfo]
    counters: Mapping[str, ArrayInfo]
    meters: Mapping[str, ArrayInfo]
    profiles: Mapping[str, ProfileInfo]
    digests: Sequence[DigestInfo]
    errors: Mapping[str, int]  # P4's errors, by name
    enums: Mapping[str, Mapping[str, int]]
    header_types: Mapping[str, Sequence[tuple[str, int]]]  # name -> fields and their bit widths
    value_sets: Mapping[str, tuple[int, ...]]  # name -> bit widths of its key fields

# A key component: exact -> value; lpm -> (value, prefix_length); ternary -> (value, mask);
# range -> (low, high).
KeyPart = bytes | tuple[bytes, int] | tuple[bytes, bytes]
# What a match runs: ("action", action_id, params) | ("member", handle) | ("group", handle).
Target = tuple[Literal["action"], int, Sequence[bytes]] | tuple[Literal["member", "group"], int]
# cir, cburst, pir, pburst, eburst: per second and units. Without an excess burst (0) two rates.
MeterRates = tuple[float, int, float, int, int]
MeterColors = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # green, yellow, red

class SwitchCore:
    """One v1model switch: tables, registers and so on for one device id.

    Thread safe: one lock guards packets and control calls, so that no packet sees half an update.
    ``emit`` collects output packets of ``process``; from Cython, ``c_process`` calls a C function
    pointer instead (core.pxd).
    """

    def __init__(
        self,
        *,
        cpu_port: int = 510,
        drop_port: int = 511,
        seed: int = 0,
        priority_queues: int = 1,
    ) -> None:
        """seed: of random(); packets of a priority beyond priority_queues - 1 are dropped."""

    pipeline: Pipeline | None
    cpu_port: int
    drop_port: int
    @property
    def priority_queues(self) -> int: ...
    def hold(self) -> AbstractContextManager[None]:
        """Keep packets out while control calls of this thread make up one atomic change.

        Re-entrant; the control methods work inside it."""
    def commit(
        self, pipeline: Pipeline, *, keep_state: bool = False, initial: Collection[str] = ()
    ) -> None:
        """Swap the program in atomically; state starts empty with the program's entries in.

        initial: tables whose entries in the program are only initial ones, which the control
        plane may change (P4Info knows, the JSON does not); those of other tables are const.
        Their size is not limited here.

        keep_state (reconcile) keeps entries and arrays whose definitions are unchanged."""
    def reset(self) -> None:
        """As it was made: no program and no state, packets are dropped (a switch restarted)."""
    def process(
        self, port: int, data: bytes, now_us: int | None = None
    ) -> list[tuple[int, bytes]]: ...
    def process_batch(
        self,
        ports: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        lengths: NDArray[np.uint32],
        data: NDArray[np.uint8],
        now_us: int | None = None,
    ) -> tuple[
        NDArray[np.uint32],
        NDArray[np.int64],
        NDArray[np.uint32],
        NDArray[np.int64],
        NDArray[np.uint8],
    ]:
        """Many packets of one buffer, without the GIL.

        Returns (ports, offsets, lengths, sources, data) of what comes out; sources[i] is the
        number of the packet that caused output i."""

    def process_many(
        self, packets: list[tuple[int, bytes]], now_us: int | None = None
    ) -> list[tuple[int, bytes]]:
        """Many packets, as (port, bytes), in one go without the GIL; what comes out of them."""

    # ---- egress queues ----
    def set_queue(
        self,
        port: int | None = None,
        priority: int | None = None,
        *,
        depth: int | None = None,
        rate: float | None = None,
    ) -> None:
        """Let queues (None: those of all ports, of all priorities) hold `depth` packets (64 unless
        said otherwise) and send `rate` packets a second (0: as fast as they come).

        A packet of a queue with a rate is held until its time; `release`, and every packet that is
        processed later, lets go what is due. A queue without a rate is always empty."""
    def next_due_us(self) -> int | None:
        """When a packet that waits in a queue may leave; None when none does."""
    def release(self, now_us: int | None = None) -> list[tuple[int, bytes]]:
        """Let what is due leave the queues; the packets that come out."""
    def stop(self, port: int) -> None:
        """Let the packets of a port that can't send for now wait in its queues, of the same depth.

        Queueing metadata tells them how many were there before."""
    def resume(
        self, port: int, count: int, now_us: int | None = None
    ) -> tuple[list[tuple[int, bytes]], bool]:
        """Let `count` of the packets go that wait for a stopped port, those of high priority first.

        The packets that come out, and whether more wait; with none left the port is stopped no
        longer."""

    # ---- table entries: handles are ints, never reused while the entry lives ----
    def table_add(self, table: str, key: Sequence[KeyPart], priority: int, target: Target) -> int:
        """priority: larger wins (P4Runtime's); 0 where the table has no ternary/range key."""
    def table_modify(self, table: str, handle: int, target: Target) -> None: ...
    def table_delete(self, table: str, handle: int) -> None: ...
    def table_set_default(self, table: str, target: Target | None) -> None:
        """None resets to the program's own default."""
    def table_default(self, table: str) -> Target | None: ...
    def table_find(self, table: str, key: Sequence[KeyPart], priority: int) -> int | None:
        """The handle of the entry with this key and priority, or None."""
    def table_entry(self, table: str, handle: int) -> tuple[tuple[KeyPart, ...], int, Target, bool]:
        """(key, priority, target, is_const) of an entry; bits that never matter are zero."""
    def table_layout(self, table: str) -> tuple[list[tuple[int, int, int]], int, int]:
        """(first word, shift, mask) of each key field in a packed key; words of a key's value
        (and of its mask), words of the first ends of its ranges (and of the last ones). A range's
        first word counts among the latter."""
    def action_index(self, action_id: int) -> int:
        """The number of an action in the running program."""
    def table_entries(self, table: str) -> list[tuple[int, Sequence[KeyPart], int, Target, bool]]:
        """(handle, key, priority, target, is_const) of every entry."""
    def table_set_timeout(self, table: str, handle: int, timeout_ns: int) -> None: ...
    def table_timeout(self, table: str, handle: int) -> int: ...
    def table_idle_ns(self, table: str, handle: int, now_us: int | None = None) -> int:
        """Time since the last hit (or since the timeout or the entry was written)."""

    def idle_entries(self, table: str, now_us: int | None = None) -> list[int]:
        """Handles of entries idle for their timeout or longer."""

    # ---- action profiles and selectors ----
    def member_add(self, profile: str, action_id: int, params: Sequence[bytes]) -> int: ...
    def member_modify(
        self, profile: str, handle: int, action_id: int, params: Sequence[bytes]
    ) -> None: ...
    def member_delete(self, profile: str, handle: int) -> None: ...
    def group_add(
        self, profile: str, pick: Literal["selector", "hash", "random"] = "selector"
    ) -> int:
        """An empty group; ``pick``: how it chooses a packet's member, as the selector does, by a
        hash of the selector's inputs (its own, CRC32 where it has none), or at random."""
    def group_set(self, profile: str, handle: int, members: Sequence[tuple[int, int]]) -> None:
        """(member handle, weight) pairs; replaces the whole group."""
    def group_delete(self, profile: str, handle: int) -> None: ...
    def members(self, profile: str) -> dict[int, tuple[int, Sequence[bytes]]]: ...
    def groups(self, profile: str) -> dict[int, Sequence[tuple[int, int]]]: ...

    # ---- arrays ----
    def counter_read(self, name: str, index: int) -> tuple[int, int]:
        """(packets, bytes). For direct counters the index is the entry handle, -1 the default."""
    def counter_write(self, name: str, index: int, packets: int, nbytes: int) -> None: ...
    def meter_read(self, name: str, index: int) -> MeterRates | None: ...
    def meter_write(self, name: str, index: int, rates: MeterRates | None) -> None: ...
    def meter_colors(self, name: str, index: int) -> MeterColors: ...
    def meter_colors_write(self, name: str, index: int, counts: MeterColors) -> None: ...
    def register_read(self, name: str, index: int) -> bytes: ...
    def register_read_all(self, name: str) -> list[bytes]: ...
    def register_write(self, name: str, index: int, value: bytes) -> None: ...
    # ---- packet replication ----
    def multicast_set(self, group: int, replicas: Sequence[tuple[int, int]]) -> None:
        """(egress port, replication id) pairs; an empty list deletes the group."""
    def clone_session_set(
        self,
        session: int,
        replicas: Sequence[tuple[int, int]],
        packet_length_bytes: int = 0,
        class_of_service: int = 0,
    ) -> None: ...
    def clone_session_delete(self, session: int) -> None: ...
    # ---- value sets, digests ----
    def value_set_write(self, name: str, members: Sequence[Sequence[tuple[bytes, bytes]]]) -> None:
        """Each member is one (value, mask) per key field."""
    def value_set_members(self, name: str) -> Sequence[Sequence[tuple[bytes, bytes]]]: ...
    def on_digest(self, callback: Callable[[int, bytes], None] | None) -> None:
        """Called (digest_id, packed field bytes, each field byte aligned) for each digest."""
    def on_trace(self, callback: Callable[[list[TraceEvent]], None] | None) -> None:
        """Called with what each packet went through; None turns tracing off (no cost then)."""

    def on_log(self, callback: Callable[[str], None] | None) -> None:
        """Called with the text of each log_msg."""

    # ---- observation ----
    stats: Mapping[str, int]
    """processed, emitted, dropped (sum of dropped_ingress, dropped_egress, dropped_priority),
    parser_errors, checksum_errors, register_index_out_of_range, assert_failed, ..."""
