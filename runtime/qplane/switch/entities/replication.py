"""The packet replication engine: multicast groups and clone sessions, with backup replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from .. import bytestrings
from ..errors import Code, StatusError, invalid, not_found
from ..ports import PORT_BITS, PortStates, decode_port
from .base import DELETE, INSERT, Journal, Kind, MayRead

MAX_MULTICAST_GROUP = 0xFFFF  # mcast_grp is a bit<16>
MAX_INSTANCE = 0xFFFF  # so is egress_rid
MAX_CLONE_SESSION = 0x7FFF  # the reference's range
MAX_CLASS_OF_SERVICE = 7  # v1model's priority is a bit<3>


class _Replica(NamedTuple):
    """A replica and its backups, most preferred first, as (port, instance)."""

    choices: tuple[tuple[int, int], ...]

    def live(self, ports: PortStates) -> tuple[int, int]:
        """The first whose port is up; the primary when none is (its egress still runs)."""
        for port, instance in self.choices:
            if ports.is_up(port):
                return port, instance
        return self.choices[0]


def _canonical(replicas: Iterable[p4r.Replica]) -> list[p4r.Replica]:
    result = []
    for replica in replicas:
        copy = p4r.Replica()
        copy.CopyFrom(replica)
        if copy.WhichOneof("port_kind") == "port":
            copy.port = bytestrings.encode(copy.port)
        for backup in copy.backup_replicas:
            backup.port = bytestrings.encode(backup.port)
        result.append(copy)
    return result


def _decode(replicas: Iterable[p4r.Replica], what: str) -> list[_Replica]:
    """INVALID_ARGUMENT for bad ports, instances, or a (port, instance) that occurs twice."""
    result, seen = [], set()
    for replica in replicas:
        kind = replica.WhichOneof("port_kind")
        if kind == "port":
            port = decode_port(replica.port, f"{what}, replica port")
        elif kind == "egress_port" and replica.egress_port < 1 << PORT_BITS:
            port = replica.egress_port
        else:
            raise invalid(f"{what}: a replica has no port or one beyond {PORT_BITS} bits")
        choices = [(port, replica.instance)]
        for backup in replica.backup_replicas:
            backup_port = decode_port(backup.port, f"{what}, backup replica port")
            if backup_port == port:
                raise invalid(f"{what}: replica and backup share port {port}")
            choices.append((backup_port, backup.instance))
        for choice in choices:
            if choice[1] > MAX_INSTANCE:
                raise invalid(f"{what}: instance {choice[1]} is above {MAX_INSTANCE}")
            if choice in seen:
                raise invalid(f"{what}: port {choice[0]}, instance {choice[1]} occurs twice")
            seen.add(choice)
        result.append(_Replica(tuple(choices)))
    return result


class _Sessions:
    """Groups or sessions by id: the message as it is read back, and its decoded replicas."""

    def __init__(
        self, name: str, max_id: int, program: Callable[[int, p4r.Entity | None], None]
    ) -> None:
        self.name = name
        self.max_id = max_id
        self.program = program
        self.entities: dict[int, p4r.Entity] = {}

    def write(
        self,
        kind: Kind,
        entry_id: int,
        entity: Callable[[], p4r.Entity],
        journal: Journal,
    ) -> None:
        what = f"{self.name} {entry_id}"
        if not 0 < entry_id <= self.max_id:
            raise invalid(f"{what}: the id must be 1 to {self.max_id}")
        wanted = None if kind == DELETE else entity()
        before = self.entities.get(entry_id)
        if kind == INSERT and before is not None:
            raise StatusError(Code.ALREADY_EXISTS, f"{what} exists")
        if kind != INSERT and before is None:
            raise not_found(f"there is no {what}")
        self._set(entry_id, wanted)
        journal.append(lambda: self._set(entry_id, before))

    def _set(self, entry_id: int, entity: p4r.Entity | None) -> None:
        self.program(entry_id, entity)
        if entity is None:
            self.entities.pop(entry_id, None)
        else:
            self.entities[entry_id] = entity

    def read(self, entry_id: int) -> Iterator[p4r.Entity]:
        if entry_id == 0:
            yield from self.entities.values()
        elif entry_id in self.entities:
            yield self.entities[entry_id]


class ReplicationStore:
    """``PacketReplicationEngineEntry``."""

    def __init__(self, core: SwitchCore, ports: PortStates) -> None:
        self._core = core
        self._ports = ports
        self._groups = _Sessions("multicast group", MAX_MULTICAST_GROUP, self._program_group)
        self._clones = _Sessions("clone session", MAX_CLONE_SESSION, self._program_clone)

    def p4_id(self, message: p4r.PacketReplicationEngineEntry) -> int:
        """The replication engine has no id in a P4Info."""
        return 0

    def write(
        self, kind: Kind, message: p4r.PacketReplicationEngineEntry, journal: Journal
    ) -> None:
        """Insert, modify or delete a group or session."""
        which = message.WhichOneof("type")
        if which == "multicast_group_entry":
            group = message.multicast_group_entry
            self._groups.write(
                kind, group.multicast_group_id, lambda: self._group_entity(group), journal
            )
        elif which == "clone_session_entry":
            clone = message.clone_session_entry
            self._clones.write(kind, clone.session_id, lambda: self._clone_entity(clone), journal)
        else:
            raise invalid("packet replication entry: neither multicast group nor clone session")

    @staticmethod
    def _group_entity(group: p4r.MulticastGroupEntry) -> p4r.Entity:
        entity = p4r.Entity()
        entry = entity.packet_replication_engine_entry.multicast_group_entry
        entry.multicast_group_id = group.multicast_group_id
        _decode(group.replicas, f"multicast group {group.multicast_group_id}")
        entry.replicas.extend(_canonical(group.replicas))
        entry.metadata = group.metadata
        return entity

    @staticmethod
    def _clone_entity(clone: p4r.CloneSessionEntry) -> p4r.Entity:
        what = f"clone session {clone.session_id}"
        if clone.class_of_service > MAX_CLASS_OF_SERVICE:
            raise invalid(
                f"{what}: class of service {clone.class_of_service} is above {MAX_CLASS_OF_SERVICE}"
            )
        if clone.packet_length_bytes < 0:
            raise invalid(f"{what}: packet length {clone.packet_length_bytes} is negative")
        _decode(clone.replicas, what)
        entity = p4r.Entity()
        entry = entity.packet_replication_engine_entry.clone_session_entry
        entry.session_id = clone.session_id
        entry.replicas.extend(_canonical(clone.replicas))
        entry.class_of_service = clone.class_of_service
        entry.packet_length_bytes = clone.packet_length_bytes
        return entity

    def _live(self, replicas: Iterable[p4r.Replica]) -> list[tuple[int, int]]:
        return [replica.live(self._ports) for replica in _decode(replicas, "replicas")]

    def _program_group(self, group_id: int, entity: p4r.Entity | None) -> None:
        replicas = []
        if entity is not None:
            group = entity.packet_replication_engine_entry.multicast_group_entry
            replicas = self._live(group.replicas)
        self._core.multicast_set(group_id, replicas)

    def _program_clone(self, session_id: int, entity: p4r.Entity | None) -> None:
        if entity is None:
            self._core.clone_session_delete(session_id)
            return
        clone = entity.packet_replication_engine_entry.clone_session_entry
        self._core.clone_session_set(
            session_id,
            self._live(clone.replicas),
            clone.packet_length_bytes,
            # A class that has no queue of its own shares the best one.
            min(clone.class_of_service, self._core.priority_queues - 1),
        )

    def retire(self) -> None:
        """Take all groups and sessions out of the packet path, which keeps them over a push."""
        for sessions in (self._groups, self._clones):
            for entry_id in sessions.entities:
                sessions.program(entry_id, None)

    def ports_changed(self) -> None:
        """Choose again among replicas and backups."""
        for sessions in (self._groups, self._clones):
            for entry_id, entity in sessions.entities.items():
                sessions.program(entry_id, entity)

    def read(
        self, query: p4r.PacketReplicationEngineEntry, may_read: MayRead
    ) -> Iterator[p4r.Entity]:
        """One group or session, or with id 0 all; with neither kind set, all of both."""
        which = query.WhichOneof("type")
        if not may_read(0):
            return
        if which in (None, "multicast_group_entry"):
            yield from self._groups.read(query.multicast_group_entry.multicast_group_id)
        if which in (None, "clone_session_entry"):
            yield from self._clones.read(query.clone_session_entry.session_id)
