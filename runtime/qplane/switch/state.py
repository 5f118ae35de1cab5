"""All entities of one pipeline: where updates and queries find their store."""

from __future__ import annotations

from collections.abc import Iterator

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore, SwitchError

from .entities.base import DELETE, INSERT, MODIFY, EntityStore, Journal
from .entities.counters import CounterStore
from .entities.digests import Configure, DigestStore
from .entities.direct import DirectCounterStore, DirectMeterStore
from .entities.meters import MeterStore
from .entities.profiles import GroupStore, MemberStore, Profiles
from .entities.registers import RegisterStore
from .entities.replication import ReplicationStore
from .entities.tables import Tables
from .entities.value_sets import ValueSetStore
from .errors import Code, StatusError, from_switch_error, invalid
from .p4info import P4InfoIndex
from .ports import PortStates
from .roles import RoleScope


class ForwardingState:
    """What a controller has written for one pipeline, and the packet path it is written to.

    Not thread safe: the device's lock guards it.
    """

    def __init__(
        self, index: P4InfoIndex, core: SwitchCore, ports: PortStates, configure_digest: Configure
    ) -> None:
        self.index = index
        self.core = core
        self._profiles = Profiles(index, core, ports)
        self.tables = Tables(index, core, self._profiles)
        self._replication = ReplicationStore(core, ports)
        self.stores: dict[str, EntityStore] = {
            "table_entry": self.tables,
            "action_profile_member": MemberStore(self._profiles),
            "action_profile_group": GroupStore(self._profiles),
            "meter_entry": MeterStore(index, core),
            "direct_meter_entry": DirectMeterStore(self.tables),
            "counter_entry": CounterStore(index, core),
            "direct_counter_entry": DirectCounterStore(self.tables),
            "packet_replication_engine_entry": self._replication,
            "value_set_entry": ValueSetStore(index, core),
            "register_entry": RegisterStore(index, core),
            "digest_entry": DigestStore(index, configure_digest),
        }

    def apply(self, update: p4r.Update, scope: RoleScope, journal: Journal) -> None:
        """One update: raises StatusError with nothing changed, or appends how to undo it."""
        if update.type not in (INSERT, MODIFY, DELETE):
            raise invalid("the update's type is not set")
        name = update.entity.WhichOneof("entity")
        if name is None:
            raise invalid("the update's entity is not set")
        store = self.stores.get(name)
        if store is None:
            raise StatusError(Code.UNIMPLEMENTED, f"{name}: externs are not offered")
        message = getattr(update.entity, name)
        if scope.listed is not None and not scope.allows(store.p4_id(message)):
            raise StatusError(Code.PERMISSION_DENIED, f"{name}: outside this role's configuration")
        try:
            store.write(update.type, message, journal)
        except SwitchError as error:
            raise from_switch_error(error) from error

    def retire(self) -> None:
        """Take out of the packet path what a new program would not replace."""
        self._replication.retire()

    def read(self, query: p4r.Entity, scope: RoleScope) -> Iterator[p4r.Entity]:
        """The entities that a query selects and the role may see."""
        name = query.WhichOneof("entity")
        if name is None:
            raise invalid("the query's entity is not set")
        store = self.stores.get(name)
        if store is None:
            if query.extern_entry.extern_type_id == 0:
                return iter(())  # all externs: there are none
            raise StatusError(Code.UNIMPLEMENTED, f"{name}: externs are not offered")
        message = getattr(query, name)
        p4_id = store.p4_id(message)
        if p4_id and not scope.allows(p4_id):
            return iter(())  # the role filters what is reported
        return store.read(message, scope.allows)

    def plain_entries(self, query: p4r.Entity, scope: RoleScope) -> list[bytes] | None:
        """The serialized entries of a plain table query; None: use :meth:`read`."""
        if query.WhichOneof("entity") != "table_entry":
            return None
        table_id = query.table_entry.table_id
        if table_id and not scope.allows(table_id):
            return None
        return self.tables.plain_wires(query.table_entry, scope.allows)

    def ports_changed(self) -> None:
        """Re-evaluate watch ports and backup replicas."""
        self._profiles.ports_changed()
        self._replication.ports_changed()
