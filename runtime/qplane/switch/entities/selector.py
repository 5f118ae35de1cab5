"""The groups of one profile in the packet path: sizes, weights, and ports that are watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from ..errors import Code, StatusError, invalid
from ..p4info import Profile
from ..ports import PortStates, decode_port

Pick = Literal["selector", "hash", "random"]
GroupMember = p4r.ActionProfileGroup.Member | p4r.ActionProfileAction


@dataclass(frozen=True)
class Watched:
    """A member of a group as the selector sees it."""

    handle: int
    weight: int
    watch_port: int | None  # left out while that port is down


def watch_port(item: GroupMember, what: str) -> int | None:
    """The port that a member depends on. INVALID_ARGUMENT when it is no port."""
    kind = item.WhichOneof("watch_kind")
    if kind == "watch_port" and item.watch_port:
        return decode_port(item.watch_port, f"{what}, watch port")
    if kind == "watch" and item.watch:
        return decode_port(max(item.watch, 0).to_bytes(4, "big"), f"{what}, watch")
    return None


@dataclass
class _Group:
    watched: list[Watched]
    size: int


class Selector:
    """Groups by handle, those that clients name and those of one-shot entries."""

    def __init__(self, profile: Profile, core: SwitchCore, ports: PortStates) -> None:
        self._profile = profile
        self._core = core
        self._ports = ports
        self._groups: dict[int, _Group] = {}
        self._size = 0  # of all groups

    def check_weight(self, weight: int, what: str, sum_of_members: bool | None = None) -> None:
        """INVALID_ARGUMENT when the selector takes no such weight.

        ``sum_of_members``: the group's size semantics, the selector's own unless given.
        """
        profile = self._profile
        if profile.weights_disallowed:
            if weight:
                raise invalid(f"{what}: weight {weight}; this selector takes none")
            return
        if weight < 1:
            raise invalid(f"{what}: weight {weight} must be 1 or more")
        limit = profile.max_member_weight
        if sum_of_members is None:
            sum_of_members = profile.sum_of_members
        if sum_of_members and limit and weight > limit:
            raise invalid(f"{what}: weight {weight} is above {limit}")

    def size(self, members: Sequence[GroupMember], sum_of_members: bool | None = None) -> int:
        """The size of a group; see :meth:`check_weight`."""
        if sum_of_members is None:
            sum_of_members = self._profile.sum_of_members
        if sum_of_members or self._profile.weights_disallowed:
            return len(members)
        return sum(member.weight for member in members)

    def check_total(self, added: int, removed: int, what: str) -> None:
        """The profile's size bounds the sum over all groups."""
        total, limit = self._size - removed + added, self._profile.size
        if limit and total > limit:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED,
                f"{what}: all groups together would make {total}, the size is {limit}",
            )

    def add(self, watched: list[Watched], size: int, pick: Pick = "selector") -> int:
        """Make a group that chooses as ``pick`` says; its handle."""
        handle = self._core.group_add(self._profile.name, pick)
        self._groups[handle] = _Group([], 0)
        self.change(handle, watched, size)
        return handle

    def change(self, handle: int, watched: list[Watched], size: int) -> None:
        """Replace a group's members."""
        group = self._groups[handle]
        self._program(handle, watched)
        self._size += size - group.size
        group.watched, group.size = watched, size

    def remove(self, handle: int) -> None:
        """Forget a group that no entry refers to."""
        self._core.group_delete(self._profile.name, handle)
        self._size -= self._groups.pop(handle).size

    def ports_changed(self) -> None:
        """Take members in or out whose watch port changed."""
        for handle, group in self._groups.items():
            if any(member.watch_port is not None for member in group.watched):
                self._program(handle, group.watched)

    def _program(self, handle: int, watched: Sequence[Watched]) -> None:
        live = [
            (item.handle, item.weight)
            for item in watched
            if item.watch_port is None or self._ports.is_up(item.watch_port)
        ]
        self._core.group_set(self._profile.name, handle, live)
