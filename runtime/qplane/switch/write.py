"""A Write batch: its atomicity, and one status per update."""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4r
from google.protobuf.message import DecodeError

from qplane_cext.switch import p4rt_apply
from qplane_cext.switch.p4rt_fast import Batch

from .entities.base import Journal
from .errors import BatchError, Code, StatusError, invalid
from .roles import RoleScope
from .state import ForwardingState

WRITE_FAILED = "Write failure."


class WriteError(BatchError):
    """A batch with failures; ``applied`` are the updates that took effect all the same."""

    def __init__(self, errors: Sequence[StatusError | None], applied: Sequence[p4r.Update]) -> None:
        super().__init__(WRITE_FAILED, errors)
        self.applied = list(applied)


def apply_batch(
    state: ForwardingState,
    updates: Sequence[p4r.Update],
    atomicity: p4r.WriteRequest.Atomicity.ValueType,
    scope: RoleScope,
) -> list[p4r.Update]:
    """Apply a batch; returns the updates that took effect.

    Raises WriteError when one failed: with CONTINUE_ON_ERROR the others have been applied, with
    the other two modes nothing has.
    """
    if atomicity == p4r.WriteRequest.CONTINUE_ON_ERROR:
        return _continue_on_error(state, updates, scope)
    if atomicity == p4r.WriteRequest.ROLLBACK_ON_ERROR:
        return _all_or_none(state, updates, scope)
    if atomicity == p4r.WriteRequest.DATAPLANE_ATOMIC:
        with state.core.hold():
            return _all_or_none(state, updates, scope)
    raise invalid(f"unknown atomicity {atomicity}")


def _continue_on_error(
    state: ForwardingState, updates: Sequence[p4r.Update], scope: RoleScope
) -> list[p4r.Update]:
    errors: list[StatusError | None] = []
    applied = []
    for update in updates:
        journal: Journal = []
        try:
            state.apply(update, scope, journal)
        except StatusError as error:
            undo(journal)
            errors.append(error)
        else:
            errors.append(None)
            applied.append(update)
    if len(applied) < len(errors):
        raise WriteError(errors, applied)
    return applied


def _all_or_none(
    state: ForwardingState, updates: Sequence[p4r.Update], scope: RoleScope
) -> list[p4r.Update]:
    journal: Journal = []
    for position, update in enumerate(updates):
        try:
            state.apply(update, scope, journal)
        except StatusError as error:
            undo(journal)
            rest = StatusError(Code.ABORTED, f"rolled back: update {position} failed")
            errors = [rest] * len(updates)
            errors[position] = error
            raise WriteError(errors, ()) from error
        except BaseException:
            undo(journal)
            raise
    return list(updates)


def apply_wire(state: ForwardingState, request: bytes, scope: RoleScope) -> None:
    """Apply a serialized batch with CONTINUE_ON_ERROR semantics; what :func:`apply_batch` does.

    ``request`` is one that ``parse_header`` accepted. Raises WriteError.
    """

    def general(update: p4r.Update) -> StatusError | None:
        journal: Journal = []
        try:
            state.apply(update, scope, journal)
        except StatusError as error:
            undo(journal)
            return error
        return None

    batch = Batch(request, state.tables.decoders)
    try:
        errors = p4rt_apply.apply_batch(state.core, batch, p4r.Update.FromString, general)
    except DecodeError as error:  # before anything was applied
        raise StatusError(Code.INTERNAL, f"can't decode the WriteRequest: {error}") from error
    if errors is not None:
        raise WriteError(errors, ())


def undo(journal: Journal) -> None:
    """Take back what a journal recorded, last change first."""
    while journal:
        journal.pop()()
