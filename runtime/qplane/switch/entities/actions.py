"""Action messages against the packet path's action ids and parameter lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from finsy.proto import p4r

from .. import bytestrings
from ..errors import Code, StatusError, invalid, text_translation
from ..p4info import ActionRef, Scope


class BoundAction(NamedTuple):
    """An action with its run-time arguments, in the packet path's widths."""

    ref: ActionRef
    params: tuple[bytes, ...]

    def message(self) -> p4r.Action:
        """The canonical message."""
        action = self.ref.action
        message = p4r.Action(action_id=action.id)
        for param, value in zip(action.params, self.params, strict=True):
            message.params.add(param_id=param.id, value=bytestrings.encode(value))
        return message


def decode_action(
    refs: Mapping[int, ActionRef], message: p4r.Action, what: str, *, default: bool = False
) -> BoundAction:
    """An action a client gives for a table entry, a member or (``default``) a default entry.

    INVALID_ARGUMENT: not one of the table's actions, or parameters that are not exactly its;
    PERMISSION_DENIED: used outside its scope; OUT_OF_RANGE: a value that does not fit.
    """
    ref = refs.get(message.action_id)
    if ref is None:
        raise invalid(f"{what}: no action with id {message.action_id:#x} here")
    if ref.scope is not Scope.TABLE_AND_DEFAULT:
        _check_scope(ref, what, default)
    action = ref.action
    values: list[bytes | None] = [None] * len(action.params)
    for item in message.params:
        position = action.positions.get(item.param_id)
        if position is None:
            raise invalid(f"{what}: action {action.name!r} has no parameter {item.param_id}")
        param = action.params[position]
        if values[position] is not None:
            raise invalid(f"{what}: parameter {param.name!r} of {action.name!r} is given twice")
        if param.is_text:
            raise text_translation(f"{what}: parameter {param.name!r} of {action.name!r}")
        values[position] = bytestrings.decode(item.value, param.bitwidth, param.name)
    if None in values:
        name = action.params[values.index(None)].name
        raise invalid(f"{what}: parameter {name!r} of action {action.name!r} is missing")
    return BoundAction(ref, tuple(values))  # type: ignore[arg-type]


def _check_scope(ref: ActionRef, what: str, default: bool) -> None:
    name = ref.action.name
    if ref.scope is Scope.TABLE_ONLY and default:
        raise StatusError(
            Code.PERMISSION_DENIED, f"{what}: action {name!r} can't be the default (@tableonly)"
        )
    if ref.scope is Scope.DEFAULT_ONLY and not default:
        raise StatusError(
            Code.PERMISSION_DENIED,
            f"{what}: action {name!r} can only be the default action (@defaultonly)",
        )
    if ref.scope is Scope.GROUP_ACTION:
        raise StatusError(
            Code.PERMISSION_DENIED, f"{what}: action {name!r} can only be a group action"
        )
