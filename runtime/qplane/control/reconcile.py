"""One switch brought in line with what it should hold: what stands is read, the rest is written.

Only what differs is written, entrances first closed and last opened as in a transaction, so
circuits whose entries are right are not touched. Per-pair registers are never written: they belong
to the data plane, and what is left in them after a restart is told from live state by itself
(docs/p4.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qplane.control.entries import Entry, Key, State, state_of
from qplane.control.errors import WriteError
from qplane.control.session import Session
from qplane.control.transaction import difference


@dataclass(frozen=True)
class Difference:
    """A place where a switch holds something else than it should; None: no entry."""

    node: str
    expected: Entry | None
    found: Entry | None

    def __str__(self) -> str:
        table = (self.expected or self.found).table  # type: ignore[union-attr]  # one is there
        return f"{self.node}: {table}: expected {self.expected}, found {self.found}"


async def read(session: Session, wanted: State) -> dict[Key, Entry]:
    """What stands in a switch. Of a switch with somebody else's program, what stands in the tables
    that we fill. Raises ConnectionFailedError."""
    tables = {entry.table for entry in wanted.values()} if session.is_foreign else None
    return state_of(await session.read(tables))


async def repair(session: Session, wanted: State, *, is_empty: bool) -> list[Difference]:
    """Make the switch hold what is `wanted`; what had to be changed.

    `is_empty` says that its program was pushed just now. Raises ConnectionFailedError, and
    WriteError where it refuses an update; what was written before that stays.
    """
    found: State = {} if is_empty else await read(session, wanted)
    for phase in difference({session.node: found}, {session.node: wanted}):
        outcome = await session.write(phase[session.node], to_the_end=True)
        if outcome.failures:
            raise WriteError(outcome.failures)
    return compare(session.node, wanted, found)


def compare(node: str, expected: State, found: State) -> list[Difference]:
    """All places where the two differ."""
    keys: Iterable[Key] = [*expected, *(key for key in found if key not in expected)]
    return [
        Difference(node, expected.get(key), found.get(key))
        for key in keys
        if expected.get(key) != found.get(key)
    ]
