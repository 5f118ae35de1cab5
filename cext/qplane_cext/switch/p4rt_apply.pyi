"""Applies the updates that p4rt_fast decoded; see the .pyx."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from .core import KeyPart, SwitchCore
from .p4rt_fast import Batch

Action = TypeVar("Action")
Failure = TypeVar("Failure")
Update = TypeVar("Update")

class Entry(Generic[Action]):
    """One entry, or a table's default entry, as the controller wrote it.

    Of an entry that was written straight from the wire, ``key`` and ``action`` are None until
    somebody asks the packet path for them.
    """

    handle: int
    key: tuple[KeyPart, ...] | None
    priority: int
    action: Action | None  # None of the default entry: the action is the program's
    metadata: bytes
    controller_metadata: int
    idle_timeout_ns: int
    is_const: bool
    meter: Any  # its p4r.MeterConfig, or None
    wire: bytes | None  # cache: the entry as read back
    def __init__(
        self,
        handle: int,
        key: tuple[KeyPart, ...] | None,
        priority: int,
        action: Action | None,
        metadata: bytes = b"",
        controller_metadata: int = 0,
        idle_timeout_ns: int = 0,
        is_const: bool = False,
        *,
        wire: bytes | None = None,
    ) -> None: ...
    def copy(self) -> Entry[Action]: ...
    def __class_getitem__(cls, item: object) -> Any: ...

class TableWriter:
    def __init__(
        self,
        core: SwitchCore,
        name: str,
        entries: Mapping[int, Entry[Any]],
        timed: Mapping[int, Entry[Any]],
        has_timeout: bool,
    ) -> None:
        """``entries`` and ``timed`` (those with an idle time-out) are by handle."""

def apply_batch(
    core: SwitchCore,
    batch: Batch,
    parse: Callable[[bytes], Update],
    general: Callable[[Update], Failure | None],
) -> list[Failure | None] | None:
    """Apply a batch in order; the errors, one an update, or None when there are none.

    Whatever can't be written here goes to ``general``, as ``parse`` makes it of its bytes. What
    ``parse`` raises is raised before anything has been applied.
    """
