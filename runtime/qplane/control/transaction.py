"""A change of several switches at once: all of it, or none of it and one error.

The updates of one switch are grouped into phases; no phase begins anywhere before the one ahead is
done everywhere. If a switch refuses an update, everything done so far is undone, last first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from qplane.control.entries import State
from qplane.control.errors import ControlError, Failure, WriteError
from qplane.control.session import Session
from qplane.control.tables import ENTRANCES
from qplane.control.updates import Outcome, Update

Phase: TypeAlias = Mapping[str, Sequence[Update]]
"""Updates by node."""

_PARALLEL = 16  # requests under way at once


def difference(before: Mapping[str, State], after: Mapping[str, State]) -> list[Phase]:
    """The phases that lead from what stands `before` to what should stand `after`, by node.

    Entrances (tables that let packets in) are closed first and opened last.
    """
    phases: list[dict[str, list[Update]]] = [{}, {}, {}, {}]
    for node in after:
        old, new = before.get(node, {}), after[node]
        for key, entry in new.items():
            standing = old.get(key)
            if standing != entry:
                update = (
                    Update.insert(entry) if standing is None else Update.modify(standing, entry)
                )
                place = 3 if entry.table in ENTRANCES else 2
                phases[place].setdefault(node, []).append(update)
        for key, entry in reversed(list(old.items())):
            if key not in new:
                place = 0 if entry.table in ENTRANCES else 1
                phases[place].setdefault(node, []).append(Update.delete(entry))
    return [phase for phase in phases if phase]


async def apply(sessions: Mapping[str, Session], phases: Sequence[Phase]) -> None:
    """Write all phases or nothing. Raises WriteError after undoing what was done.

    A cancellation is obeyed after the requests under way are answered and everything is undone.
    """
    done: list[tuple[str, list[Update]]] = []
    for phase in phases:
        writing = asyncio.ensure_future(_write(sessions, phase))
        cancelled = False
        try:
            outcomes = await asyncio.shield(writing)
        except asyncio.CancelledError:
            cancelled = True
            outcomes = await writing
        failures: list[Failure] = []
        for node, outcome in outcomes.items():
            done.append((node, [*outcome.done, *await _applied(sessions[node], outcome)]))
            failures += outcome.failures
        if failures or cancelled:
            left_behind = await _undo(sessions, done)
            if cancelled:
                raise asyncio.CancelledError
            raise WriteError(failures, left_behind)


async def _write(sessions: Mapping[str, Session], phase: Phase) -> dict[str, Outcome]:
    bound = asyncio.Semaphore(_PARALLEL)

    async def one(node: str) -> Outcome:
        async with bound:
            return await sessions[node].write(phase[node])

    outcomes = await asyncio.gather(*(one(node) for node in phase))
    return dict(zip(phase, outcomes, strict=True))


async def _applied(session: Session, outcome: Outcome) -> list[Update]:
    """Those of the updates of unknown fate that the switch's tables show to be done."""
    if not outcome.unknown:
        return []
    try:
        standing = {entry.key: entry for entry in await session.read()}
    except ControlError:
        return list(outcome.unknown)  # undoing them fails, and is reported
    return [update for update in outcome.unknown if _is_done(update, standing)]


def _is_done(update: Update, standing: State) -> bool:
    if update.is_delete:
        return update.entry.key not in standing
    return standing.get(update.entry.key) == update.entry


async def _undo(
    sessions: Mapping[str, Session], done: Iterable[tuple[str, Sequence[Update]]]
) -> list[str]:
    """Take back what was done, last first; says what could not be."""
    left_behind: list[str] = []
    for node, updates in reversed(list(done)):
        inverses = [update.inverse() for update in reversed(updates)]
        outcome = await sessions[node].write(inverses, to_the_end=True)
        left_behind += map(str, outcome.failures)
    return left_behind
