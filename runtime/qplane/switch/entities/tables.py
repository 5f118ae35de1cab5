"""Match-action tables: ``TableEntry``, default entries included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore, SwitchError
from qplane_cext.switch.p4rt_apply import Entry as FastEntry
from qplane_cext.switch.p4rt_apply import TableWriter
from qplane_cext.switch.p4rt_fast import ActionDecoder, TableDecoder

from ..errors import Code, StatusError, from_switch_error, invalid, not_found
from ..p4info import P4InfoIndex, Scope
from .actions import BoundAction, decode_action
from .base import INSERT, MODIFY, Journal, Kind, MayRead
from .counters import decode_counts
from .meters import check_color_reset, decode_config, encode_colors, reset_colors
from .one_shots import OneShot
from .profiles import Profiles
from .table_actions import EntryAction
from .table_entries import DEFAULT_HANDLE, Entry, TableEntries

if TYPE_CHECKING:
    from qplane_cext.switch.core import MeterRates

# BMv2's words, as PTF suites compare them.
_NO_TIME_OUT = "idle_timeout_ns must be set to 0 for tables which do not support idle timeout"
_TIME_WRITTEN = "has_time_since_last_hit must not be set in WriteRequest"


def set_attributes(entry: Entry, message: p4r.TableEntry) -> None:
    """Take over what is opaque to the packet path."""
    entry.metadata = message.metadata
    entry.controller_metadata = message.controller_metadata
    entry.idle_timeout_ns = message.idle_timeout_ns


def _counting(items: Sequence[object]) -> list[int]:
    return list(range(1, len(items) + 1))


class TableStore(TableEntries):
    """One table's entries, and how they are written."""

    # ---- writing ----

    def write(self, kind: Kind, message: p4r.TableEntry, journal: Journal) -> None:
        """Apply one update."""
        try:
            if message.is_const:
                raise invalid(f"{self.what}: is_const can't be set in a write")
            if message.is_default_action:
                self._write_default(kind, message, journal)
            elif kind == INSERT:
                self._insert(message, journal)
            elif kind == MODIFY:
                self._modify(message, journal)
            else:
                self._delete(message, journal)
        except SwitchError as error:
            raise from_switch_error(error, self.what) from error

    def decoder(self) -> TableDecoder | None:
        """How the fast path decodes this table's entries; None: it leaves them to :meth:`write`."""
        table = self.table
        if table.is_const or table.is_initial or table.profile or table.meter is not None:
            return None
        if not table.fields or [item.id for item in table.fields] != _counting(table.fields):
            return None
        if any(item.is_text for item in table.fields):
            return None
        actions = {}
        for p4_id, ref in table.actions.items():
            params = ref.action.params
            in_table = ref.scope in (Scope.TABLE_AND_DEFAULT, Scope.TABLE_ONLY)
            in_order = [item.id for item in params] == _counting(params)
            if in_table and in_order and not any(item.is_text for item in params):
                with suppress(ValueError):
                    actions[p4_id] = ActionDecoder(
                        self._core.action_index(ref.core_id), [item.bitwidth for item in params]
                    )
        writer = TableWriter(self._core, table.name, self.entries, self.timed, table.has_timeout)
        fields = [(item.kind.value, item.bitwidth) for item in table.fields]
        layout = self._core.table_layout(table.name)
        try:
            return TableDecoder(
                writer, fields, layout, table.needs_priority, table.has_timeout, actions
            )
        except ValueError:
            return None

    def _insert(self, message: p4r.TableEntry, journal: Journal) -> None:
        if self.table.is_const:
            raise StatusError(Code.PERMISSION_DENIED, f"{self.what} is constant")
        if not self.table.fields:
            raise invalid(f"{self.what} has no key: it has a default entry only")
        where = self.entry_key(message)
        if not message.HasField("action"):
            raise invalid(f"{self.what}: the action is not set")
        self._check_attributes(message)
        counts, rates = self._direct_values(message)
        given = self._actions.decode(message.action)
        # Malformed is malformed whatever the state is; only now does the state count.
        if self._at(where) is not None:
            raise StatusError(Code.ALREADY_EXISTS, f"{self.what}: the entry exists")
        if self.table.is_initial and len(self.entries) >= self.table.size:
            raise StatusError(Code.RESOURCE_EXHAUSTED, f"{self.what}: size {self.table.size}")
        action = self._actions.resolve(given, None)
        entry: Entry = FastEntry(0, *where, action)
        set_attributes(entry, message)
        self._set_meter(entry, message)
        self._install(entry, rates, counts)
        journal.append(lambda: self._remove(entry))

    def _modify(self, message: p4r.TableEntry, journal: Journal) -> None:
        where = self.entry_key(message)
        self._check_attributes(message)
        counts, rates = self._direct_values(message)
        given = self._actions.decode(message.action) if message.HasField("action") else None
        entry = self._at(where)
        if entry is None:
            if self.table.is_const:
                raise StatusError(Code.PERMISSION_DENIED, f"{self.what} is constant")
            raise not_found(f"{self.what}: no such entry")
        if entry.is_const and (given or message.metadata or message.controller_metadata):
            raise StatusError(
                Code.PERMISSION_DENIED,
                f"{self.what}: only direct resources of a constant entry can be modified",
            )
        old = entry.copy()
        old_counts, old_rates = self._read_direct(entry.handle)
        if given is not None:
            replaced = entry.action if isinstance(entry.action, OneShot) else None
            self._replace_action(entry, self._actions.resolve(given, replaced))
        if not entry.is_const:
            set_attributes(entry, message)
            self._set_timeout(entry)
        self._set_meter(entry, message)
        self._write_direct(entry.handle, counts, rates)
        journal.append(lambda: self._restore(entry, old, old_counts, old_rates))
        if message.HasField("meter_counter_data"):
            self.reset_colors(entry, journal)

    def _delete(self, message: p4r.TableEntry, journal: Journal) -> None:
        entry = self._at(self.entry_key(message))
        if self.table.is_const or (entry is not None and entry.is_const):
            raise StatusError(Code.PERMISSION_DENIED, f"{self.what}: the entry is constant")
        if entry is None:
            raise not_found(f"{self.what}: no such entry")
        counts, rates = self._read_direct(entry.handle)
        meter = self.table.meter
        colors = self._core.meter_colors(meter, entry.handle) if meter is not None else None
        self._remove(entry)

        def undo() -> None:
            self._install_again(entry, rates, counts)
            if meter is not None and colors is not None:
                self._core.meter_colors_write(meter, entry.handle, colors)

        journal.append(undo)

    def _write_default(self, kind: Kind, message: p4r.TableEntry, journal: Journal) -> None:
        if kind != MODIFY:
            raise invalid(f"{self.what}: the default entry can only be modified")
        if message.match or message.priority:
            raise invalid(f"{self.what}: a default entry has no match and no priority")
        if message.HasField("time_since_last_hit"):
            raise invalid(_TIME_WRITTEN)
        if message.idle_timeout_ns:
            raise invalid(f"{self.what}: a default entry has no idle time-out")
        counts, rates = self._direct_values(message)
        if self.table.const_default and (
            message.HasField("action") or not self._has_direct(message)
        ):
            raise StatusError(Code.PERMISSION_DENIED, f"{self.what}: the default entry is constant")
        if self.table.profile is not None:
            raise StatusError(
                Code.PERMISSION_DENIED, f"{self.what}: an indirect table's default is constant"
            )
        action = None
        if message.HasField("action"):
            if message.action.WhichOneof("type") != "action":
                raise invalid(f"{self.what}: the default entry takes an action")
            action = decode_action(
                self.table.actions, message.action.action, self.what, default=True
            )
        entry = self.default
        old = entry.copy()
        old_counts, old_rates = self._read_direct(DEFAULT_HANDLE)
        if not self.table.const_default:
            self._set_default_action(action)
            entry.action = action
            set_attributes(entry, message)
        if action is None and not self.table.const_default:  # a reset reaches direct resources
            entry.meter, rates = None, None
            counts = (0, 0) if self.table.counter else None
        else:
            self._set_meter(entry, message)
        self._write_direct(DEFAULT_HANDLE, counts, rates)

        def undo() -> None:
            if not self.table.const_default:
                self._set_default_action(
                    old.action if isinstance(old.action, BoundAction) else None
                )
            self.default = old
            self._write_direct(DEFAULT_HANDLE, old_counts, old_rates)

        journal.append(undo)
        if message.HasField("meter_counter_data"):
            self.reset_colors(entry, journal)

    @staticmethod
    def _has_direct(message: p4r.TableEntry) -> bool:
        return (
            message.HasField("meter_config")
            or message.HasField("counter_data")
            or message.HasField("meter_counter_data")
        )

    def _check_attributes(self, message: p4r.TableEntry) -> None:
        if message.HasField("time_since_last_hit"):
            raise invalid(_TIME_WRITTEN)
        if message.idle_timeout_ns and not self.table.has_timeout:
            raise invalid(_NO_TIME_OUT)
        if message.idle_timeout_ns < 0:
            raise invalid(f"{self.what}: idle time-out {message.idle_timeout_ns} is negative")

    # ---- actions ----

    def _replace_action(self, entry: Entry, action: EntryAction) -> None:
        try:
            self._core.table_modify(self.table.name, entry.handle, self._actions.target(action))
        except SwitchError:
            if isinstance(action, OneShot):
                self._actions.release(action)
            raise
        self._actions.hold(action, 1)
        self._actions.release(entry.action)
        entry.action = action
        entry.wire = None

    def _set_default_action(self, action: BoundAction | None) -> None:
        target = None if action is None else self._actions.target(action)
        self._core.table_set_default(self.table.name, target)

    # ---- installing, with direct resources ----

    def _install(
        self, entry: Entry, rates: MeterRates | None, counts: tuple[int, int] | None
    ) -> None:
        assert entry.key is not None and entry.action is not None
        try:
            entry.handle = self._core.table_add(
                self.table.name, entry.key, entry.priority, self._actions.target(entry.action)
            )
        except SwitchError:
            if isinstance(entry.action, OneShot):
                self._actions.release(entry.action)
            raise
        self._actions.hold(entry.action, 1)
        self.entries[entry.handle] = entry
        self._set_timeout(entry)
        if rates is not None or counts is not None:
            self._write_direct(entry.handle, counts, rates)

    def _install_again(
        self, entry: Entry, rates: MeterRates | None, counts: tuple[int, int] | None
    ) -> None:
        entry.action = self._actions.revive(entry.action)
        self._install(entry, rates, counts)

    def _remove(self, entry: Entry) -> None:
        self._core.table_delete(self.table.name, entry.handle)
        del self.entries[entry.handle]
        self.timed.pop(entry.handle, None)
        self._actions.release(entry.action)

    def _restore(
        self, entry: Entry, old: Entry, counts: tuple[int, int] | None, rates: MeterRates | None
    ) -> None:
        """Take a modification back."""
        if old.action is not entry.action and old.action is not None:
            action = (
                self._actions.revive(old.action) if isinstance(old.action, OneShot) else old.action
            )
            assert action is not None
            self._replace_action(entry, action)
        entry.metadata, entry.controller_metadata = old.metadata, old.controller_metadata
        entry.idle_timeout_ns, entry.meter, entry.wire = old.idle_timeout_ns, old.meter, None
        self._set_timeout(entry)
        self._write_direct(entry.handle, counts, rates)

    def _set_timeout(self, entry: Entry) -> None:
        entry.wire = None
        if self.table.has_timeout:
            self._core.table_set_timeout(self.table.name, entry.handle, entry.idle_timeout_ns)
            if entry.idle_timeout_ns:
                self.timed[entry.handle] = entry
            else:
                self.timed.pop(entry.handle, None)

    def _direct_values(
        self, message: p4r.TableEntry
    ) -> tuple[tuple[int, int] | None, MeterRates | None]:
        """The counter's and the meter's values in a write; None: not given."""
        counts = rates = None
        if message.HasField("counter_data"):
            if self.table.counter is None:
                raise invalid(f"{self.what} has no direct counter")
            counts = decode_counts(message.counter_data, self.what)
        if self.table.meter is None and (
            message.HasField("meter_config") or message.HasField("meter_counter_data")
        ):
            raise invalid(f"{self.what} has no direct meter")
        check_color_reset(message.meter_counter_data, self.what)
        if message.HasField("meter_config"):
            rates = decode_config(message.meter_config, self.table.meter_spec, self.what)
        return counts, rates

    def _set_meter(self, entry: Entry, message: p4r.TableEntry) -> None:
        entry.meter = None
        if message.HasField("meter_config"):
            entry.meter = p4r.MeterConfig()
            entry.meter.CopyFrom(message.meter_config)

    def _read_direct(self, handle: int) -> tuple[tuple[int, int] | None, MeterRates | None]:
        counter, meter = self.table.counter, self.table.meter
        return (
            self._core.counter_read(counter, handle) if counter is not None else None,
            self._core.meter_read(meter, handle) if meter is not None else None,
        )

    def _write_direct(
        self, handle: int, counts: tuple[int, int] | None, rates: MeterRates | None
    ) -> None:
        """Set the direct counter when given, and the direct meter always."""
        if self.table.counter is not None and counts is not None:
            self._core.counter_write(self.table.counter, handle, *counts)
        if self.table.meter is not None:
            self._core.meter_write(self.table.meter, handle, rates)

    # ---- direct resources on their own ----

    def counter_read(self, entry: Entry) -> p4r.CounterData:
        """The entry's direct counter; the table has one."""
        assert self.table.counter is not None
        packets, nbytes = self._core.counter_read(self.table.counter, entry.handle)
        return p4r.CounterData(packet_count=packets, byte_count=nbytes)

    def counter_write(self, entry: Entry, counts: tuple[int, int], journal: Journal) -> None:
        """Set the entry's direct counter."""
        name = self.table.counter
        assert name is not None
        before = self._core.counter_read(name, entry.handle)
        self._core.counter_write(name, entry.handle, *counts)
        journal.append(lambda: self._core.counter_write(name, entry.handle, *before))

    def colors_read(self, entry: Entry) -> p4r.MeterCounterData:
        """What the entry's direct meter counted by colour; the table has one."""
        assert self.table.meter is not None
        return encode_colors(self._core.meter_colors(self.table.meter, entry.handle))

    def reset_colors(self, entry: Entry, journal: Journal) -> None:
        """Forget what the entry's direct meter counted."""
        assert self.table.meter is not None
        reset_colors(self._core, self.table.meter, entry.handle, journal)

    def meter_write(
        self,
        entry: Entry,
        config: p4r.MeterConfig | None,
        rates: MeterRates | None,
        journal: Journal,
    ) -> None:
        """Configure the entry's direct meter; None: back to all green."""
        name = self.table.meter
        assert name is not None
        before, before_rates = entry.meter, self._core.meter_read(name, entry.handle)
        self._core.meter_write(name, entry.handle, rates)
        entry.meter = config

        def undo() -> None:
            self._core.meter_write(name, entry.handle, before_rates)
            entry.meter = before

        journal.append(undo)

    def read(self, query: p4r.TableEntry) -> Iterator[p4r.Entity]:
        """The selected entries with the direct resources and times that the query asks for."""
        with_colors = query.HasField("meter_counter_data") and self.table.meter is not None
        with_meter = query.HasField("meter_config") and self.table.meter is not None
        with_counter = query.HasField("counter_data") and self.table.counter is not None
        with_idle = query.HasField("time_since_last_hit")
        if with_idle and (query.is_default_action or not self.table.has_timeout):
            raise invalid(f"{self.what} has no idle time-out")
        for entry in self.select(query):
            entity = p4r.Entity()
            message = entity.table_entry
            message.CopyFrom(self.entry_message(entry))
            if with_meter and entry.meter is not None:
                message.meter_config.CopyFrom(entry.meter)
            if with_counter:
                message.counter_data.CopyFrom(self.counter_read(entry))
            if with_colors:
                message.meter_counter_data.CopyFrom(self.colors_read(entry))
            if with_idle:
                message.time_since_last_hit.elapsed_ns = self._core.table_idle_ns(
                    self.table.name, entry.handle
                )
            yield entity


class Tables:
    """All tables of a pipeline: the store of ``TableEntry``."""

    def __init__(self, index: P4InfoIndex, core: SwitchCore, profiles: Profiles) -> None:
        self._index = index
        self.stores = {
            table.id: TableStore(
                table, core, profiles.store(table.profile.id) if table.profile else None
            )
            for table in index.tables.values()
        }
        self.timed_stores = [store for store in self.stores.values() if store.table.has_timeout]
        decoders = {table_id: store.decoder() for table_id, store in self.stores.items()}
        self.decoders: dict[int, TableDecoder] = {
            table_id: decoder for table_id, decoder in decoders.items() if decoder is not None
        }

    def store(self, table_id: int) -> TableStore:
        """INVALID_ARGUMENT when there is no such table."""
        return self.stores[self._index.table(table_id).id]

    def plain_wires(self, query: p4r.TableEntry, may_read: MayRead) -> list[bytes] | None:
        """The entries of a query without filters and extras, serialized; None: it has some."""
        if query != p4r.TableEntry(table_id=query.table_id):
            return None
        if query.table_id:
            return self.store(query.table_id).wires()
        stores = (store for key, store in self.stores.items() if may_read(key))
        return [wire for store in stores for wire in store.wires()]

    def p4_id(self, message: p4r.TableEntry) -> int:
        """The table's id."""
        return message.table_id

    def write(self, kind: Kind, message: p4r.TableEntry, journal: Journal) -> None:
        """Apply one update."""
        self.store(message.table_id).write(kind, message, journal)

    def read(self, query: p4r.TableEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One table with filters, or all tables."""
        if query.table_id:
            yield from self.store(query.table_id).read(query)
            return
        if query.match or query.priority or query.metadata or query.controller_metadata:
            raise invalid("a read of all tables takes no filter")
        if query.HasField("action"):
            raise invalid("a read of all tables takes no filter")
        wildcard = p4r.TableEntry()
        wildcard.CopyFrom(query)
        for store in self.stores.values():
            if may_read(store.table.id):
                if not store.table.has_timeout:
                    wildcard.ClearField("time_since_last_hit")
                elif query.HasField("time_since_last_hit"):
                    wildcard.time_since_last_hit.SetInParent()
                yield from store.read(wildcard)
