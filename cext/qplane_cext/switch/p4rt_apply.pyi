"""Applies the updates that p4rt_fast decoded; see the .pyx."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from .core import KeyPart, SwitchCore

Action = TypeVar("Action")
Failure = TypeVar("Failure")

class Entry(Generic[Action]):
    """One entry, or a table's default entry, as the controller wrote it."""

    handle: int
    key: tuple[KeyPart, ...]
    priority: int
    action: Action | None  # None: the default entry's action is the program's
    metadata: bytes
    controller_metadata: int
    idle_timeout_ns: int
    is_const: bool
    meter: Any  # its p4r.MeterConfig, or None
    wire: bytes | None  # cache: the entry as read back
    def __init__(
        self,
        handle: int,
        key: tuple[KeyPart, ...],
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
        entries: Mapping[Any, Entry[Any]],
        timed: Mapping[int, Entry[Any]],
        set_timeout: Callable[[Entry[Any]], None] | None,
        action_type: type[tuple[Any, ...]],
    ) -> None: ...

def apply_updates(
    core: SwitchCore, updates: list[Any], general: Callable[[Any], Failure | None]
) -> list[Failure | None]: ...
