"""Match-action tables: ``TableEntry``, default entries included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore, SwitchError
from qplane_cext.switch.p4rt_apply import Entry as FastEntry
from qplane_cext.switch.p4rt_apply import TableWriter
from qplane_cext.switch.p4rt_fast import ActionDecoder, TableDecoder

from ..errors import Code, StatusError, from_switch_error, invalid, not_found
from ..p4info import MatchKind, P4InfoIndex, Scope, Table
from .actions import BoundAction, decode_action
from .base import INSERT, MODIFY, Journal, Kind, MayRead
from .counters import decode_counts
from .matches import Key, decode_key, encode_key
from .meters import decode_config, refuse_color_counters
from .profiles import OneShot, OneShotPlan, Profiles

if TYPE_CHECKING:
    from qplane_cext.switch.core import MeterRates, Target

DEFAULT_HANDLE = -1  # of the default entry, in direct counters and meters

# BMv2's words, as PTF suites compare them.
_NO_TIME_OUT = "idle_timeout_ns must be set to 0 for tables which do not support idle timeout"
_TIME_WRITTEN = "has_time_since_last_hit must not be set in WriteRequest"


@dataclass(frozen=True)
class MemberRef:
    """The action of an entry of an indirect table: a profile's member."""

    member_id: int


@dataclass(frozen=True)
class GroupRef:
    """The action of an entry of an indirect table: a selector's group."""

    group_id: int


EntryAction = BoundAction | MemberRef | GroupRef | OneShot
GivenAction = BoundAction | MemberRef | GroupRef | OneShotPlan


Entry: TypeAlias = "FastEntry[EntryAction]"


def set_attributes(entry: Entry, message: p4r.TableEntry) -> None:
    """Take over what is opaque to the packet path."""
    entry.metadata = message.metadata
    entry.controller_metadata = message.controller_metadata
    entry.idle_timeout_ns = message.idle_timeout_ns


EntryKey = tuple[Key, int]


def _counting(items: Sequence[object]) -> list[int]:
    return list(range(1, len(items) + 1))


class TableStore:
    """The entries of one table."""

    def __init__(self, table: Table, core: SwitchCore, profiles: Profiles) -> None:
        self.table = table
        self.what = f"table {table.name!r}"
        self._core = core
        self._profile = profiles.store(table.profile.id) if table.profile is not None else None
        self.entries: dict[int, Entry] = {}  # by handle, in the order in which they came
        self.timed: dict[int, Entry] = {}  # by handle: the entries with an idle time-out
        self.default: Entry = FastEntry(DEFAULT_HANDLE, (), 0, None)
        for handle, key, core_priority, target, is_const in core.table_entries(table.name):
            action = self._action_of(target)
            priority = core_priority if table.needs_priority else 0
            self.entries[handle] = FastEntry(
                handle, tuple(key), priority, action, is_const=is_const
            )

    def _action_of(self, target: Target | None) -> BoundAction | None:
        """The action of an entry that came with the program."""
        if target is None or target[0] != "action":
            return None
        ref = self.table.by_core_id.get(target[1])
        return None if ref is None else BoundAction(ref, tuple(target[2]))

    # ---- finding ----

    def entry_key(self, message: p4r.TableEntry) -> EntryKey:
        """The key of an entry in a message. INVALID_ARGUMENT when match or priority is wrong."""
        table = self.table
        key = decode_key(table.fields, table.fields_by_id, message.match, self.what)
        if table.needs_priority:
            if message.priority <= 0:
                raise invalid(
                    f"{self.what}: priority {message.priority} must be above 0 "
                    "(ternary, range or optional fields)"
                )
        elif message.priority:
            raise invalid(
                f"{self.what}: priority {message.priority} must be 0 "
                "(no ternary, range or optional field)"
            )
        return key, message.priority

    def find(self, message: p4r.TableEntry) -> Entry:
        """The entry, or default entry, that a message names. NOT_FOUND when there is none."""
        if message.is_default_action:
            if message.match or message.priority:
                raise invalid(f"{self.what}: a default entry has no match and no priority")
            return self.default
        entry = self._at(self.entry_key(message))
        if entry is None:
            raise not_found(f"{self.what}: no such entry")
        return entry

    def _at(self, where: EntryKey) -> Entry | None:
        if not self.table.fields:
            return None
        handle = self._core.table_find(self.table.name, *where)
        return None if handle is None else self._complete(self.entries[handle])

    def _complete(self, entry: Entry) -> Entry:
        """The entry with its key and action, which the wire path leaves to the packet path."""
        if entry.action is None and entry is not self.default:
            entry.key, _, target, _ = self._core.table_entry(self.table.name, entry.handle)
            entry.action = self._action_of(target)
        return entry

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
        given = self._decode_action(message.action)
        # Malformed is malformed whatever the state is; only now does the state count.
        if self._at(where) is not None:
            raise StatusError(Code.ALREADY_EXISTS, f"{self.what}: the entry exists")
        if self.table.is_initial and len(self.entries) >= self.table.size:
            raise StatusError(Code.RESOURCE_EXHAUSTED, f"{self.what}: size {self.table.size}")
        action = self._resolve(given, None)
        entry: Entry = FastEntry(0, *where, action)
        set_attributes(entry, message)
        self._set_meter(entry, message)
        self._install(entry, rates, counts)
        journal.append(lambda: self._remove(entry))

    def _modify(self, message: p4r.TableEntry, journal: Journal) -> None:
        where = self.entry_key(message)
        self._check_attributes(message)
        counts, rates = self._direct_values(message)
        given = self._decode_action(message.action) if message.HasField("action") else None
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
            self._replace_action(entry, self._resolve(given, replaced))
        if not entry.is_const:
            set_attributes(entry, message)
            self._set_timeout(entry)
        self._set_meter(entry, message)
        self._write_direct(entry.handle, counts, rates)
        journal.append(lambda: self._restore(entry, old, old_counts, old_rates))

    def _delete(self, message: p4r.TableEntry, journal: Journal) -> None:
        entry = self._at(self.entry_key(message))
        if self.table.is_const or (entry is not None and entry.is_const):
            raise StatusError(Code.PERMISSION_DENIED, f"{self.what}: the entry is constant")
        if entry is None:
            raise not_found(f"{self.what}: no such entry")
        counts, rates = self._read_direct(entry.handle)
        self._remove(entry)
        journal.append(lambda: self._install_again(entry, rates, counts))

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

    @staticmethod
    def _has_direct(message: p4r.TableEntry) -> bool:
        return message.HasField("meter_config") or message.HasField("counter_data")

    def _check_attributes(self, message: p4r.TableEntry) -> None:
        if message.HasField("time_since_last_hit"):
            raise invalid(_TIME_WRITTEN)
        if message.idle_timeout_ns and not self.table.has_timeout:
            raise invalid(_NO_TIME_OUT)
        if message.idle_timeout_ns < 0:
            raise invalid(f"{self.what}: idle time-out {message.idle_timeout_ns} is negative")

    # ---- actions ----

    def _decode_action(self, message: p4r.TableAction) -> GivenAction:
        """Whether an action is well formed, whatever else there is."""
        kind = message.WhichOneof("type")
        if self._profile is None:
            if kind != "action":
                raise invalid(f"{self.what} takes an action, not {kind or 'nothing'}")
            return decode_action(self.table.actions, message.action, self.what)
        if kind == "action_profile_member_id" and message.action_profile_member_id:
            return MemberRef(message.action_profile_member_id)
        if kind == "action_profile_group_id" and message.action_profile_group_id:
            if self._profile.profile.with_selector:
                return GroupRef(message.action_profile_group_id)
        elif kind == "action_profile_action_set":
            return self._profile.decode_one_shot(message.action_profile_action_set, self.what)
        raise invalid(f"{self.what} is indirect; {kind or 'nothing'}, or id 0, is no action for it")

    def _resolve(self, given: GivenAction, replaced: OneShot | None) -> EntryAction:
        """What an action refers to must be there; a one-shot action's group is made."""
        if isinstance(given, BoundAction):
            return given
        assert self._profile is not None
        if isinstance(given, OneShotPlan):
            self._profile.check_one_shot(given, replaced, self.what)
            return self._profile.add_one_shot(given)
        self._profile.refuse_one_shots()
        if isinstance(given, MemberRef):
            self._profile.member_handle(given.member_id)
        else:
            self._profile.group_handle(given.group_id)
        return given

    def _target(self, action: EntryAction) -> Target:
        if isinstance(action, BoundAction):
            return "action", action.ref.core_id, action.params
        assert self._profile is not None
        if isinstance(action, MemberRef):
            return "member", self._profile.member_handle(action.member_id)
        if isinstance(action, GroupRef):
            return "group", self._profile.group_handle(action.group_id)
        return "group", action.group

    def _hold(self, action: EntryAction | None, by: int) -> None:
        if self._profile is not None:
            if isinstance(action, MemberRef):
                self._profile.hold_member(action.member_id, by)
            elif isinstance(action, GroupRef):
                self._profile.hold_group(action.group_id, by)

    def _release(self, action: EntryAction | None) -> None:
        """Give up what an entry's action held."""
        self._hold(action, -1)
        if isinstance(action, OneShot) and self._profile is not None:
            self._profile.remove_one_shot(action)

    def _revive(self, action: EntryAction | None) -> EntryAction | None:
        """The action again, after it was released."""
        if isinstance(action, OneShot) and self._profile is not None:
            return self._profile.add_one_shot(
                self._profile.decode_one_shot(action.message, self.what)
            )
        return action

    def _replace_action(self, entry: Entry, action: EntryAction) -> None:
        try:
            self._core.table_modify(self.table.name, entry.handle, self._target(action))
        except SwitchError:
            if isinstance(action, OneShot):
                self._release(action)
            raise
        self._hold(action, 1)
        self._release(entry.action)
        entry.action = action
        entry.wire = None

    def _set_default_action(self, action: BoundAction | None) -> None:
        target = None if action is None else self._target(action)
        self._core.table_set_default(self.table.name, target)

    # ---- installing, with direct resources ----

    def _install(
        self, entry: Entry, rates: MeterRates | None, counts: tuple[int, int] | None
    ) -> None:
        assert entry.key is not None and entry.action is not None
        try:
            entry.handle = self._core.table_add(
                self.table.name, entry.key, entry.priority, self._target(entry.action)
            )
        except SwitchError:
            if isinstance(entry.action, OneShot):
                self._release(entry.action)
            raise
        self._hold(entry.action, 1)
        self.entries[entry.handle] = entry
        self._set_timeout(entry)
        if rates is not None or counts is not None:
            self._write_direct(entry.handle, counts, rates)

    def _install_again(
        self, entry: Entry, rates: MeterRates | None, counts: tuple[int, int] | None
    ) -> None:
        entry.action = self._revive(entry.action)
        self._install(entry, rates, counts)

    def _remove(self, entry: Entry) -> None:
        self._core.table_delete(self.table.name, entry.handle)
        del self.entries[entry.handle]
        self.timed.pop(entry.handle, None)
        self._release(entry.action)

    def _restore(
        self, entry: Entry, old: Entry, counts: tuple[int, int] | None, rates: MeterRates | None
    ) -> None:
        """Take a modification back."""
        if old.action is not entry.action and old.action is not None:
            action = self._revive(old.action) if isinstance(old.action, OneShot) else old.action
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
        refuse_color_counters(message.HasField("meter_counter_data"), self.what)
        if message.HasField("meter_config"):
            if self.table.meter is None:
                raise invalid(f"{self.what} has no direct meter")
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

    # ---- reading ----

    def select(self, query: p4r.TableEntry) -> Iterator[Entry]:
        """The entries that a query's filters leave."""
        if query.is_default_action:
            if query.match or query.priority:
                raise invalid(f"{self.what}: a default entry has no match and no priority")
            entries: Iterator[Entry] = iter((self.default,))
        elif query.match:
            key = decode_key(self.table.fields, self.table.fields_by_id, query.match, self.what)
            if self.table.needs_priority and not query.priority:
                entries = (
                    entry for entry in self.entries.values() if self._complete(entry).key == key
                )
            else:
                entry = self._at((key, query.priority))
                entries = iter(() if entry is None else (entry,))
        else:
            entries = iter(self.entries.values())
        if not (query.priority or query.HasField("action") or query.metadata
                or query.controller_metadata):  # fmt: skip
            return entries
        return filter(self._filter(query), entries)

    def _filter(self, query: p4r.TableEntry):  # type: ignore[no-untyped-def]
        action_id = 0
        if query.HasField("action"):
            if query.action.WhichOneof("type") != "action" or self.table.profile is not None:
                raise invalid(f"{self.what}: only the action of a direct table can be a filter")
            action_id = query.action.action.action_id
            if action_id and action_id not in self.table.actions:
                raise invalid(f"{self.what}: no action with id {action_id:#x} here")

        def wanted(entry: Entry) -> bool:
            action = self.action_of(entry)
            return (
                query.priority in (0, entry.priority)
                and query.metadata in (b"", entry.metadata)
                and query.controller_metadata in (0, entry.controller_metadata)
                and (
                    not action_id
                    or (isinstance(action, BoundAction) and action.ref.action.id == action_id)
                )
            )

        return wanted

    def _key(self, entry: Entry) -> Key:
        key = self._complete(entry).key
        assert key is not None
        return key

    def action_of(self, entry: Entry) -> EntryAction | None:
        """The entry's action; of a default entry never written, the program's."""
        if entry is self.default and entry.action is None:
            return self._action_of(self._core.table_default(self.table.name))
        return self._complete(entry).action

    def key_message(self, entry: Entry) -> p4r.TableEntry:
        """What identifies an entry."""
        message = p4r.TableEntry(table_id=self.table.id)
        if entry is self.default:
            message.is_default_action = True
        else:
            message.match.extend(encode_key(self.table.fields, self._key(entry)))
            message.priority = entry.priority
        return message

    def describe(self, handle: int) -> str:
        """An entry's key as text: field=value, and how it matches."""
        entry = self.entries.get(handle)
        if entry is None:
            return f"entry {handle}"
        try:
            key = self._key(entry)
        except SwitchError:  # gone since: a trace is read while controllers write
            return f"entry {handle}"
        words = []
        for key_field, part in zip(self.table.fields, key, strict=True):
            if isinstance(part, bytes):
                words.append(f"{key_field.name}=0x{part.hex()}")
            else:
                first, second = part
                shown = f"0x{second.hex()}" if isinstance(second, bytes) else str(second)
                sign = {MatchKind.LPM: "/", MatchKind.RANGE: ".."}.get(key_field.kind, " &&& ")
                words.append(f"{key_field.name}=0x{first.hex()}{sign}{shown}")
        priority = f" priority {entry.priority}" if entry.priority else ""
        return f"entry {handle} [{', '.join(words)}]{priority}"

    def entry_message(self, entry: Entry) -> p4r.TableEntry:
        """An entry without its direct resources and times."""
        if entry.wire is not None and entry is not self.default:
            return p4r.TableEntry.FromString(entry.wire)  # type: ignore[no-any-return]
        message = self.key_message(entry)
        action = self.action_of(entry)
        if isinstance(action, BoundAction):
            message.action.action.CopyFrom(action.message())
        elif isinstance(action, MemberRef):
            message.action.action_profile_member_id = action.member_id
        elif isinstance(action, GroupRef):
            message.action.action_profile_group_id = action.group_id
        elif isinstance(action, OneShot):
            message.action.action_profile_action_set.CopyFrom(action.message)
        message.metadata = entry.metadata
        message.controller_metadata = entry.controller_metadata
        message.idle_timeout_ns = entry.idle_timeout_ns
        message.is_const = entry.is_const
        entry.wire = message.SerializeToString()
        return message

    def wires(self) -> list[bytes]:
        """All entries, serialized, without direct resources and times."""
        return [
            entry.wire or self.entry_message(entry).SerializeToString()
            for entry in self.entries.values()
        ]

    def read(self, query: p4r.TableEntry) -> Iterator[p4r.Entity]:
        """The selected entries with the direct resources and times that the query asks for."""
        refuse_color_counters(query.HasField("meter_counter_data"), self.what)
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
            table.id: TableStore(table, core, profiles) for table in index.tables.values()
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
