"""``Switch``: the embedded switch in this process, for notebooks and unit tests.

    switch = Switch("basic.json", "basic.p4info.txtpb")
    switch.add("ipv4_lpm", {"hdr.ipv4.dstAddr": "10.0.1.1/32"}, "ipv4_forward", ["08:00:...", 1])
    for port, packet in switch.inject(0, b"..."):
        ...

No process, no port, no thread. Values are integers, bytes, or text as one writes addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from finsy.proto import p4i, p4r
from google.protobuf import text_format
from numpy.typing import NDArray

from qplane.arguments import checked
from qplane_cext.switch.core import Pipeline, PipelineError, SwitchCore, SwitchError

from .derive import derive_p4info
from .entities.base import DELETE, INSERT, MODIFY, Kind
from .errors import from_switch_error, invalid, not_found
from .p4info import Action, MatchField, MatchKind, Table
from .p4info_index import index_p4info
from .ports import PortStates
from .roles import RoleScope
from .state import ForwardingState

Value = int | bytes | str
Match = Value | tuple[Value, Value]
Params = Mapping[str, Value] | Sequence[Value]

MAX_PORT = 0xFFFFFFFF


def read_p4info(source: str | Path | bytes | p4i.P4Info) -> p4i.P4Info:
    """A P4Info from a file (text or ``.bin``) or from its serialized bytes.

    Raises ValueError naming the file when it can't be parsed.
    """
    if isinstance(source, p4i.P4Info):
        return source
    name = "P4Info" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    message = p4i.P4Info()
    try:
        if isinstance(source, bytes) or name.endswith(".bin"):
            message.ParseFromString(data)
        else:
            text_format.Parse(data.decode(), message)
    except Exception as error:  # DecodeError, ParseError and UnicodeDecodeError share no base
        raise ValueError(f"{name}: not a P4Info: {error}") from error
    return message


class Burst(NamedTuple):
    """What left for a batch. Packet i is ``data[offsets[i] : offsets[i] + lengths[i]]``."""

    ports: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.uint32]
    sources: NDArray[np.int64]  # the number of the packet that caused it
    data: NDArray[np.uint8]

    def packet(self, number: int) -> bytes:
        """The bytes of one packet that left."""
        start = int(self.offsets[number])
        return self.data[start : start + int(self.lengths[number])].tobytes()


class Switch:
    """A loaded switch. Errors are :class:`qplane.switch.errors.StatusError`.

    Without a P4Info names of action parameters are not known: give them in order.
    """

    @checked
    def __init__(
        self,
        json: str | Path | bytes,
        p4info: str | Path | bytes | p4i.P4Info | None = None,
        *,
        cpu_port: int = 510,
        drop_port: int = 511,
        priority_queues: int = 1,
    ) -> None:
        data = json if isinstance(json, bytes) else Path(json).read_bytes()
        self.core = SwitchCore(
            cpu_port=cpu_port, drop_port=drop_port, priority_queues=priority_queues
        )
        try:
            pipeline = Pipeline(data)
            info = derive_p4info(pipeline) if p4info is None else read_p4info(p4info)
            self.index = index_p4info(info, pipeline)
            self.core.commit(pipeline, initial=self.index.initial_tables())
        except PipelineError as error:
            raise invalid(f"{_named(json)} can't be run: {error}") from error
        self.ports = PortStates()
        self._state = ForwardingState(self.index, self.core, self.ports, lambda *_: None)
        self.ports.listen(self._state.ports_changed)

    # ---- packets ----

    def inject(
        self, port: int, packet: bytes, now_us: int | None = None
    ) -> list[tuple[int, bytes]]:
        """One packet in; the packets that leave, as (port, bytes)."""
        if type(port) is not int or type(packet) is not bytes or not 0 <= port <= MAX_PORT:
            port, packet = _inject(port, packet)
        return self.core.process(port, packet, now_us)

    def inject_batch(
        self,
        ports: int | NDArray[np.integer[Any]],
        packets: NDArray[np.uint8],
        lengths: NDArray[np.integer[Any]] | None = None,
        now_us: int | None = None,
    ) -> Burst:
        """Many packets in at once: one a row of ``packets``, of ``lengths`` bytes (None: all).

        ``ports`` is one port for all or one a packet. Raises ValueError when shapes differ.
        """
        count, width = packets.shape
        sizes = np.full(count, width, np.uint32)
        if lengths is not None:
            sizes[:] = lengths
            if sizes.max(initial=0) > width:
                raise ValueError(f"a packet is longer than a row of {width} bytes")
        numbers = np.empty(count, np.uint32)
        numbers[:] = ports
        offsets = np.arange(count, dtype=np.int64) * width
        data = np.ascontiguousarray(packets, np.uint8).reshape(-1)
        return Burst(*self.core.process_batch(numbers, offsets, sizes, data, now_us))

    @checked
    def set_queue(
        self,
        port: int | None = None,
        priority: int | None = None,
        *,
        depth: int | None = None,
        rate: float | None = None,
    ) -> None:
        """Give egress queues (None: all ports, all priorities) a depth in packets and a rate in
        packets a second. Packets of a queue with a rate wait for their turn: see `release`."""
        try:
            self.core.set_queue(port, priority, depth=depth, rate=rate)
        except SwitchError as error:
            raise from_switch_error(error) from error

    def release(self, now_us: int | None = None) -> list[tuple[int, bytes]]:
        """The packets that leave the egress queues by now, as (port, bytes)."""
        return self.core.release(now_us)

    # ---- entries by name ----

    @checked
    def add(
        self,
        table: str,
        match: Mapping[str, Match],
        action: str,
        params: Params = (),
        *,
        priority: int = 0,
    ) -> None:
        """Insert an entry. Names may be given without their leading parts where unambiguous.

        A match value is a value (exact, optional), "10.0.0.0/8" or (value, prefix length) for
        LPM, (value, mask) for ternary, (low, high) for a range.
        """
        entry = self._entry(table, match, priority)
        entry.action.action.CopyFrom(self._action(self._table(table), action, params))
        self.write(INSERT, p4r.Entity(table_entry=entry))

    @checked
    def modify(
        self,
        table: str,
        match: Mapping[str, Match],
        action: str,
        params: Params = (),
        *,
        priority: int = 0,
    ) -> None:
        """Give an entry another action."""
        entry = self._entry(table, match, priority)
        entry.action.action.CopyFrom(self._action(self._table(table), action, params))
        self.write(MODIFY, p4r.Entity(table_entry=entry))

    @checked
    def delete(self, table: str, match: Mapping[str, Match], *, priority: int = 0) -> None:
        """Delete an entry."""
        self.write(DELETE, p4r.Entity(table_entry=self._entry(table, match, priority)))

    @checked
    def set_default(self, table: str, action: str | None, params: Params = ()) -> None:
        """Set a table's default action; None: the program's own again."""
        found = self._table(table)
        entry = p4r.TableEntry(table_id=found.id, is_default_action=True)
        if action is not None:
            entry.action.action.CopyFrom(self._action(found, action, params))
        self.write(MODIFY, p4r.Entity(table_entry=entry))

    @checked
    def multicast(self, group: int, replicas: Iterable[tuple[int, int]]) -> None:
        """Make a multicast group of (egress port, replication id) pairs."""
        entity = p4r.Entity()
        entry = entity.packet_replication_engine_entry.multicast_group_entry
        entry.multicast_group_id = group
        for port, instance in replicas:
            entry.replicas.add(port=_minimal("port", port), instance=instance)
        self.write(INSERT, entity)

    @checked
    def clone_session(self, session: int, ports: Iterable[int]) -> None:
        """Make a clone session that copies to these ports."""
        entity = p4r.Entity()
        entry = entity.packet_replication_engine_entry.clone_session_entry
        entry.session_id = session
        for port in ports:
            entry.replicas.add(port=_minimal("port", port), instance=0)
        self.write(INSERT, entity)

    @checked
    def counter(self, name: str, index: int) -> tuple[int, int]:
        """(packets, bytes) of an indexed counter's cell."""
        return self.core.counter_read(
            self._name("counter", self.core_pipeline.counters, name), index
        )

    @checked
    def register(self, name: str, index: int) -> int:
        """The unsigned value of a register cell."""
        name = self._name("register", self.core_pipeline.registers, name)
        return int.from_bytes(self.core.register_read(name, index), "big")

    @checked
    def set_register(self, name: str, index: int, value: int) -> None:
        """Write a register cell."""
        name = self._name("register", self.core_pipeline.registers, name)
        bits = self.core_pipeline.registers[name].bitwidth
        if not 0 <= value < 1 << bits:
            raise invalid(f"register {name!r}: value {value} does not fit bit<{bits}>")
        self.core.register_write(name, index, value.to_bytes((bits + 7) // 8, "big"))

    @checked
    def write(self, kind: Kind, entity: p4r.Entity) -> None:
        """Any P4Runtime entity, as a controller would write it."""
        self._state.apply(p4r.Update(type=kind, entity=entity), RoleScope(), [])

    @checked
    def read(self, query: p4r.Entity) -> list[p4r.Entity]:
        """Any P4Runtime query, as a controller would send it."""
        return list(self._state.read(query, RoleScope()))

    @property
    def stats(self) -> Mapping[str, int]:
        """Packets processed, sent and dropped, and faults, since the start."""
        return self.core.stats

    # ---- names and values ----

    @property
    def core_pipeline(self) -> Pipeline:
        """The compiled program: names, widths and sizes."""
        return self.index.pipeline

    @staticmethod
    def _name(what: str, known: Iterable[str], name: str) -> str:
        found = [item for item in known if item == name or item.endswith("." + name)]
        if name in found:
            return name
        if not found:
            there = ", ".join(known) or "none"
            raise not_found(f"{what} {name!r} is not known; there are: {there}")
        if len(found) > 1:
            raise not_found(f"{what} {name!r} is ambiguous: {', '.join(found)}")
        return found[0]

    def _table(self, name: str) -> Table:
        by_name = {table.name: table for table in self.index.tables.values()}
        return by_name[self._name("table", by_name, name)]

    def _entry(self, name: str, match: Mapping[str, Match], priority: int) -> p4r.TableEntry:
        table = self._table(name)
        entry = p4r.TableEntry(table_id=table.id, priority=priority)
        by_name = {item.name: item for item in table.fields}
        for key, value in match.items():
            entry.match.append(_match(by_name[self._name("match field", by_name, key)], value))
        return entry

    def _action(self, table: Table, name: str, params: Params) -> p4r.Action:
        by_name = {ref.action.name: ref.action for ref in table.actions.values()}
        action = by_name[self._name("action", by_name, name)]
        message = p4r.Action(action_id=action.id)
        for param_id, value in _params(action, params):
            message.params.add(param_id=param_id, value=value)
        return message


@checked
def _inject(port: int, packet: bytes) -> tuple[int, bytes]:
    """What serves as a port and a packet, as such; else TypeError, ValueError."""
    if not 0 <= port <= MAX_PORT:
        raise ValueError(f"port {port}: 0 to {MAX_PORT} are possible")
    return int(port), bytes(packet)


def _named(json: str | Path | bytes) -> str:
    return "the JSON" if isinstance(json, bytes) else str(json)


def _params(action: Action, params: Params) -> Iterable[tuple[int, bytes]]:
    if isinstance(params, Mapping):
        ids = {param.name: param.id for param in action.params}
        for name, value in params.items():
            if name not in ids:
                there = ", ".join(ids) or "none"
                raise invalid(
                    f"action {action.name!r} has no parameter {name!r}; there are: {there}"
                )
            yield ids[name], _value(f"parameter {name!r}", value)
        return
    if len(params) != len(action.params):
        raise invalid(f"action {action.name!r} takes {len(action.params)} parameters")
    for param, value in zip(action.params, params, strict=True):
        yield param.id, _value(f"parameter {param.name!r}", value)


def _minimal(what: str, number: int) -> bytes:
    if number < 0:
        raise invalid(f"{what}: {number} is negative")
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")


def _value(what: str, value: Value) -> bytes:
    """An integer, bytes, or a MAC, IPv4 or IPv6 address or number as text."""
    if isinstance(value, bytes):
        return bytes(value)
    if not isinstance(value, str):
        return _minimal(what, int(value))
    try:
        if value.count(":") == 5:
            return bytes(int(part, 16) for part in value.split(":"))
        return _minimal(what, int(value, 0))
    except ValueError:
        try:
            return ipaddress.ip_address(value).packed
        except ValueError:
            raise invalid(f"{what}: {value!r} is no number, MAC or IP address") from None


def _length(field: MatchField, length: Value) -> int:
    if not isinstance(length, int) or not 0 <= length <= field.bitwidth:
        raise invalid(
            f"field {field.name!r}: prefix length {length!r}: 0 to {field.bitwidth} are possible"
        )
    return length


def _match(field: MatchField, value: Match) -> p4r.FieldMatch:
    match = p4r.FieldMatch(field_id=field.id)
    what = f"field {field.name!r}"
    if field.kind is MatchKind.LPM and isinstance(value, str):
        address, _, length = value.partition("/")
        if length and not length.isdecimal():
            raise invalid(f"{what}: {value!r}: the prefix length is no number")
        value = (address, int(length) if length else field.bitwidth)
    if field.kind in (MatchKind.EXACT, MatchKind.OPTIONAL):
        if isinstance(value, tuple):
            raise invalid(f"{what} takes one value")
        getattr(match, field.kind.value).value = _value(what, value)
        return match
    if not isinstance(value, tuple):
        if field.kind is MatchKind.LPM:
            value = (value, field.bitwidth)
        else:
            value = (value, value if field.kind is MatchKind.RANGE else field.full)
    first, second = value
    if field.kind is MatchKind.LPM:
        match.lpm.value = _value(what, first)
        match.lpm.prefix_len = _length(field, second)
    elif field.kind is MatchKind.TERNARY:
        match.ternary.value, match.ternary.mask = _value(what, first), _value(what, second)
    else:
        match.range.low, match.range.high = _value(what, first), _value(what, second)
    return match
