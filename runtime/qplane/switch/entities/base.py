"""What the stores of all kinds of entities have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias

from finsy.proto import p4r

from ..errors import Code, StatusError, invalid

Kind: TypeAlias = "p4r.Update.Type.ValueType"
INSERT = p4r.Update.INSERT
MODIFY = p4r.Update.MODIFY
DELETE = p4r.Update.DELETE

# Calls that take a write back, in the order the changes were made.
Journal = list[Callable[[], None]]
MayRead = Callable[[int], bool]


class EntityStore(Protocol):
    """One kind of entity. ``message`` is the oneof member of p4.v1.Entity."""

    def p4_id(self, message: Any) -> int:
        """The P4Info object it belongs to, for the role's scope; 0: none."""

    def write(self, kind: Kind, message: Any, journal: Journal) -> None:
        """Apply one update or raise StatusError with nothing changed."""

    def read(self, query: Any, may_read: MayRead) -> Iterator[p4r.Entity]:
        """The entities that a query selects. Raises StatusError for a malformed query."""


def only_modify(kind: Kind, what: str) -> None:
    """INVALID_ARGUMENT for entities that are always there and can only be modified."""
    if kind != MODIFY:
        raise invalid(f"{what} can only be modified, not {_KIND_NAMES[kind]}")


_KIND_NAMES = {INSERT: "inserted", DELETE: "deleted", MODIFY: "modified"}


def cell_range(message: Any, size: int, what: str) -> range:
    """The cells that a message's ``index`` selects: one, or all when it is unset."""
    if not message.HasField("index"):
        return range(size)
    index = message.index.index
    if index < 0:
        raise invalid(f"{what}: index {index} is negative")
    if index >= size:
        raise StatusError(Code.OUT_OF_RANGE, f"{what}: index {index}, the size is {size}")
    return range(index, index + 1)
