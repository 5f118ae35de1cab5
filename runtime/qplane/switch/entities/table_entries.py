"""The entries that one table holds: how they are found, selected and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore, SwitchError
from qplane_cext.switch.p4rt_apply import Entry as FastEntry

from ..errors import invalid, not_found
from ..p4info import MatchKind, Table
from .actions import BoundAction
from .matches import Key, decode_key, encode_key
from .profile_store import ProfileStore
from .table_actions import EntryAction, TableActions, put_action

DEFAULT_HANDLE = -1  # of the default entry, in direct counters and meters

Entry: TypeAlias = "FastEntry[EntryAction]"
EntryKey = tuple[Key, int]


class TableEntries:
    """One table's entries as the controller wrote them."""

    def __init__(self, table: Table, core: SwitchCore, profile: ProfileStore | None) -> None:
        self.table = table
        self.what = f"table {table.name!r}"
        self._core = core
        self._profile = profile
        self._actions = TableActions(table, profile)
        self.entries: dict[int, Entry] = {}  # by handle, in the order in which they came
        self.timed: dict[int, Entry] = {}  # by handle: the entries with an idle time-out
        self.default: Entry = FastEntry(DEFAULT_HANDLE, (), 0, None)
        for handle, key, core_priority, target, is_const in core.table_entries(table.name):
            action = self._actions.given(target)
            priority = core_priority if table.needs_priority else 0
            self.entries[handle] = FastEntry(
                handle, tuple(key), priority, action, is_const=is_const
            )

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
            entry.action = self._actions.given(target)
        return entry

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

    def _filter(self, query: p4r.TableEntry) -> Callable[[Entry], bool]:
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
            return self._actions.given(self._core.table_default(self.table.name))
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
        if action is not None:
            put_action(message.action, action)
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
