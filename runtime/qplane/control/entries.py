"""What stands in a switch, as plain values, and their translation to finsy's entities and back.

Table entries, default actions, multicast groups, rates of meters' cells, clone sessions and
digests. They are hashable and have a `key` that tells which entry of the switch they are, so that
"what should be there" and "what is there" are dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import finsy as fy

Value: TypeAlias = int | tuple[int, int]  # exact; (value, prefix length) in an LPM field
Key: TypeAlias = tuple[str, tuple[tuple[str, Value], ...]]

GROUP_TABLE = "multicast group"
CLONE_TABLE = "clone session"
DIGEST_TABLE = "digest"

ACK_TIMEOUT_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TableEntry:
    """An entry of a table, under the names of the P4Info (aliases)."""

    table: str
    match: tuple[tuple[str, Value], ...]
    action: str
    args: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> Key:
        return self.table, self.match

    def to_finsy(self) -> fy.P4TableEntry:
        """A fresh entity; finsy marks them with the update, so each is used once."""
        return fy.P4TableEntry(
            self.table,
            match=fy.P4TableMatch(self.match),
            action=fy.P4TableAction(self.action, **dict(self.args)),
        )

    def __str__(self) -> str:
        match = ", ".join(f"{name}={_shown(name, value)}" for name, value in self.match)
        args = ", ".join(f"{name}={_shown(name, value)}" for name, value in self.args)
        return f"[{match}] -> {self.action}({args})"


@dataclass(frozen=True, slots=True)
class Group:
    """A multicast group: (port, replication id) pairs in ascending order."""

    group: int
    replicas: tuple[tuple[int, int], ...]

    @property
    def table(self) -> str:
        return GROUP_TABLE

    @property
    def key(self) -> Key:
        return GROUP_TABLE, (("group", self.group),)

    def to_finsy(self) -> fy.P4MulticastGroupEntry:
        return fy.P4MulticastGroupEntry(self.group, replicas=self.replicas)

    def __str__(self) -> str:
        replicas = ", ".join(f"{port}#{instance}" for port, instance in self.replicas)
        return f"[group={self.group}] -> {{{replicas}}}"


@dataclass(frozen=True, slots=True)
class MeterRate:
    """The rate of one cell of a meter, in its units (packets or bytes): up to `rate` a second, and
    `burst` at once, are green; all else is red.

    Cells always are: to insert or delete one is to set or to lift its limit.
    """

    meter: str
    index: int
    rate: int
    burst: int

    @property
    def table(self) -> str:
        return self.meter

    @property
    def key(self) -> Key:
        return self.meter, (("index", self.index),)

    def to_finsy(self, *, lifted: bool = False) -> fy.P4MeterEntry:
        if lifted:
            return fy.P4MeterEntry(self.meter, index=self.index)
        config = fy.P4MeterConfig(
            cir=self.rate, cburst=self.burst, pir=self.rate, pburst=self.burst
        )
        return fy.P4MeterEntry(self.meter, index=self.index, config=config)

    def __str__(self) -> str:
        return f"[index={self.index}] -> {self.rate}/s, burst {self.burst}"


@dataclass(frozen=True, slots=True)
class DefaultAction:
    """The default action of a table without a key. One with all arguments 0 is none: the program
    begins with such."""

    table: str
    action: str
    args: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> Key:
        return self.table, ()

    def to_finsy(self, *, lifted: bool = False) -> fy.P4TableEntry:
        action = None if lifted else fy.P4TableAction(self.action, **dict(self.args))
        return fy.P4TableEntry(self.table, action=action, is_default_action=True)

    def __str__(self) -> str:
        args = ", ".join(f"{name}={value}" for name, value in self.args)
        return f"[default] -> {self.action}({args})"


@dataclass(frozen=True, slots=True)
class CloneSession:
    """Where the copies of a clone session go: (port, replication id) pairs in ascending order."""

    session: int
    replicas: tuple[tuple[int, int], ...]

    @property
    def table(self) -> str:
        return CLONE_TABLE

    @property
    def key(self) -> Key:
        return CLONE_TABLE, (("session", self.session),)

    def to_finsy(self) -> fy.P4CloneSessionEntry:
        return fy.P4CloneSessionEntry(self.session, replicas=self.replicas)

    def __str__(self) -> str:
        replicas = ", ".join(f"{port}#{instance}" for port, instance in self.replicas)
        return f"[session={self.session}] -> {{{replicas}}}"


@dataclass(frozen=True, slots=True)
class DigestConfig:
    """That a digest is told: in lists of up to `list_size`, after at most `timeout_ns`."""

    digest: str
    list_size: int
    timeout_ns: int

    @property
    def table(self) -> str:
        return DIGEST_TABLE

    @property
    def key(self) -> Key:
        return DIGEST_TABLE, ((self.digest, 0),)

    def to_finsy(self) -> fy.P4DigestEntry:
        return fy.P4DigestEntry(
            self.digest,
            max_list_size=self.list_size,
            max_timeout_ns=self.timeout_ns,
            ack_timeout_ns=ACK_TIMEOUT_NS,
        )

    def __str__(self) -> str:
        return f"[{self.digest}] -> lists of {self.list_size}, within {self.timeout_ns} ns"


Entry: TypeAlias = TableEntry | Group | MeterRate | DefaultAction | CloneSession | DigestConfig
State: TypeAlias = Mapping[Key, Entry]


def table_entry(table: str, match: Mapping[str, Value], action: str, **args: int) -> TableEntry:
    """A table entry, its match fields and arguments in the order given."""
    return TableEntry(table, tuple(match.items()), action, tuple(args.items()))


def state_of(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Entries by key. ValueError where two of them differ under one key."""
    state: dict[Key, Entry] = {}
    for entry in entries:
        other = state.setdefault(entry.key, entry)
        if other is not entry and other != entry:
            raise ValueError(f"two entries under one key: {other} and {entry}")
    return state


def from_finsy(entity: Any) -> Entry:
    """What was read back from a switch. The order of fields is the P4Info's, as in the tables."""
    if isinstance(entity, fy.P4MulticastGroupEntry):
        return Group(entity.multicast_group_id, tuple(sorted(map(_replica, entity.replicas))))
    if isinstance(entity, fy.P4CloneSessionEntry):
        return CloneSession(entity.session_id, tuple(sorted(map(_replica, entity.replicas))))
    if isinstance(entity, fy.P4DigestEntry):
        return DigestConfig(entity.digest_id, entity.max_list_size, entity.max_timeout_ns)
    if isinstance(entity, fy.P4MeterEntry):
        config = entity.config
        if config is None:
            raise TypeError(f"no limit in {entity!r}")
        return MeterRate(entity.meter_id, entity.index or 0, config.pir, config.pburst)
    if not isinstance(entity, fy.P4TableEntry):
        raise TypeError(f"no table entry, multicast group or meter: {entity!r}")
    action = entity.action
    if not isinstance(action, fy.P4TableAction):
        raise TypeError(f"no direct action in {entity!r}")
    if entity.is_default_action:
        return DefaultAction(entity.table_id, action.name, tuple(action.args.items()))
    return TableEntry(
        entity.table_id,
        tuple((entity.match or {}).items()),
        action.name,
        tuple(action.args.items()),
    )


def _replica(replica: Any) -> tuple[int, int]:
    return (replica, 0) if isinstance(replica, int) else (replica.port, replica.instance)


def _shown(name: str, value: Value) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:#x}/{value[1]}"
    return f"{value:012x}" if name in ("dst", "mac", "src_mac", "dst_mac") else str(value)
