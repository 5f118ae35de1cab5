"""All that a switch holds, as it tells over P4Runtime: to be compared before and after.

What counts traffic (counters) is left out, and so are registers: the records of pairs that are gone
stay in them, so that what comes late is answered (docs/p4.md), and there are close to a million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from finsy.proto import p4i, p4r
from google.protobuf import text_format

from qplane.control.session import Session

Snapshot = dict[str, list[str]]
"""By kind of entity: each as text, sorted."""


async def snapshot(session: Session) -> Snapshot:
    """What the switch of a session holds. Raises ConnectionFailedError."""
    found = {"digests": _texts(await session.read_digests())}
    for kind, wanted in _wanted(session.p4info):
        found[kind] = _texts(await session.read_entities(wanted)) if wanted else []
    return found


def _texts(entities: Iterable[p4r.Entity]) -> list[str]:
    shown = (e for e in entities if _is_set(e))
    return sorted(text_format.MessageToString(e, as_one_line=True) for e in shown)


async def snapshots(sessions: Mapping[str, Session]) -> dict[str, Snapshot]:
    """Of all switches that are connected, by node. Raises ConnectionFailedError."""
    return {node: await snapshot(s) for node, s in sessions.items() if s.is_primary}


def _wanted(p4info: p4i.P4Info) -> Iterator[tuple[str, list[p4r.Entity]]]:
    """What to read, by kind: one wildcard for all, or one for each that the program has where BMv2
    knows no wildcard."""
    replication = p4r.PacketReplicationEngineEntry
    yield "table entries", [p4r.Entity(table_entry=p4r.TableEntry())]
    tables = [p4r.TableEntry(table_id=table.preamble.id) for table in p4info.tables]
    defaults = [p4r.TableEntry(table_id=t.table_id, is_default_action=True) for t in tables]
    yield "default actions", [p4r.Entity(table_entry=entry) for entry in defaults]
    yield "profile members", [p4r.Entity(action_profile_member=p4r.ActionProfileMember())]
    yield "profile groups", [p4r.Entity(action_profile_group=p4r.ActionProfileGroup())]
    yield "meters", [p4r.Entity(meter_entry=p4r.MeterEntry())]
    metered = {meter.direct_table_id for meter in p4info.direct_meters}
    direct = [p4r.DirectMeterEntry(table_entry=t) for t in tables if t.table_id in metered]
    yield "direct meters", [p4r.Entity(direct_meter_entry=entry) for entry in direct]
    groups = replication(multicast_group_entry=p4r.MulticastGroupEntry())
    yield "multicast groups", [p4r.Entity(packet_replication_engine_entry=groups)]
    clones = replication(clone_session_entry=p4r.CloneSessionEntry())
    yield "clone sessions", [p4r.Entity(packet_replication_engine_entry=clones)]
    sets = [p4r.ValueSetEntry(value_set_id=each.preamble.id) for each in p4info.value_sets]
    yield "value sets", [p4r.Entity(value_set_entry=entry) for entry in sets]


def _is_set(entity: p4r.Entity) -> bool:
    """A meter's cell without a limit is as if it were not there."""
    kind = entity.WhichOneof("entity")
    return kind not in ("meter_entry", "direct_meter_entry") or getattr(entity, kind).HasField(
        "config"
    )
