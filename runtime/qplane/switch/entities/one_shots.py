"""One-shot entries: each has a group of its own, which no client can name."""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4r
from google.protobuf.unknown_fields import UnknownFieldSet

from qplane_cext.switch.core import SwitchCore

from .. import bytestrings
from ..errors import Code, StatusError, invalid
from ..p4info import Profile
from .actions import BoundAction, decode_action
from .selector import Pick, Selector, Watched, watch_port

ActionSet = p4r.ActionProfileActionSet

_PICKS: dict[int, Pick] = {
    ActionSet.DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR: "selector",
    ActionSet.HASH: "hash",
    ActionSet.RANDOM: "random",
}
_SUM_OF_MEMBERS: dict[int, bool | None] = {  # None: as the selector has it
    ActionSet.DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR: None,
    ActionSet.SUM_OF_WEIGHTS: False,
    ActionSet.SUM_OF_MEMBERS: True,
}


@dataclass
class OneShot:
    """The group and members behind one table entry."""

    group: int
    members: list[int]
    message: ActionSet  # canonical, as it is read back


@dataclass(frozen=True)
class OneShotPlan:
    """A well-formed one-shot action set."""

    message: ActionSet
    actions: list[BoundAction]


class OneShots:
    """The one-shot groups of one profile."""

    def __init__(self, profile: Profile, core: SwitchCore, selector: Selector) -> None:
        self._profile = profile
        self._core = core
        self._selector = selector
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def decode(self, message: ActionSet, what: str) -> OneShotPlan:
        """A well-formed one-shot action set.

        INVALID_ARGUMENT: bad weights, sizes, actions or modes; UNIMPLEMENTED: a group action.
        """
        if not self._profile.with_selector:
            raise invalid(f"{what}: one-shot entries need an action selector")
        if len(UnknownFieldSet(message)):  # P4Runtime 1.6's group_action
            raise StatusError(Code.UNIMPLEMENTED, f"{what}: group actions are not offered")
        if message.action_selection_mode not in _PICKS:
            raise invalid(f"{what}: selection mode {message.action_selection_mode} is not known")
        if message.size_semantics not in _SUM_OF_MEMBERS:
            raise invalid(f"{what}: size semantics {message.size_semantics} are not known")
        sum_of_members = _SUM_OF_MEMBERS[message.size_semantics]
        actions = []
        for place, item in enumerate(message.action_profile_actions):
            part = f"{what}, action {place}"
            self._selector.check_weight(item.weight, part, sum_of_members)
            watch_port(item, part)
            actions.append(decode_action(self._profile.actions, item.action, part))
        size = self._size(message)
        if self._profile.max_group_size and size > self._profile.max_group_size:
            raise invalid(
                f"{what}: size {size} is above max_group_size {self._profile.max_group_size}"
            )
        return OneShotPlan(message, actions)

    def check(self, plan: OneShotPlan, replaced: OneShot | None, what: str) -> None:
        """RESOURCE_EXHAUSTED when the profile has no room for it in place of what it replaces."""
        before = self._size(replaced.message) if replaced else 0
        self._selector.check_total(self._size(plan.message), before, what)

    def _size(self, message: ActionSet) -> int:
        return self._selector.size(
            message.action_profile_actions, _SUM_OF_MEMBERS[message.size_semantics]
        )

    def add(self, plan: OneShotPlan) -> OneShot:
        """Make the group of a checked action set."""
        message, actions = plan.message, plan.actions
        name = self._profile.name
        members = [self._core.member_add(name, item.ref.core_id, item.params) for item in actions]
        watched = [
            Watched(handle, item.weight or 1, watch_port(item, "one-shot"))
            for handle, item in zip(members, message.action_profile_actions, strict=True)
        ]
        pick = _PICKS[message.action_selection_mode]
        group = self._selector.add(watched, self._size(message), pick)
        canonical = ActionSet()
        canonical.CopyFrom(message)
        for item, action in zip(canonical.action_profile_actions, actions, strict=True):
            item.action.CopyFrom(action.message())
            if item.WhichOneof("watch_kind") == "watch_port" and item.watch_port:
                item.watch_port = bytestrings.encode(item.watch_port)
        self._count += 1
        return OneShot(group, members, canonical)

    def remove(self, shot: OneShot) -> None:
        """Forget a group that no entry refers to any more."""
        self._count -= 1
        self._selector.remove(shot.group)
        for handle in shot.members:
            self._core.member_delete(self._profile.name, handle)
