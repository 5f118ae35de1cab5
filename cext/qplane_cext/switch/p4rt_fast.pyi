"""The common P4Runtime Write straight from the wire; see the .pyx."""

from collections.abc import Mapping, Sequence
from typing import Any

class ActionDecoder:
    def __init__(self, core_index: int, widths: Sequence[int]) -> None:
        """ValueError: this action has to be left to the general path."""

class TableDecoder:
    writer: Any
    def __init__(
        self,
        writer: object,
        fields: Sequence[tuple[str, int]],
        layout: tuple[Sequence[tuple[int, int, int]], int, int],
        needs_priority: bool,
        has_timeout: bool,
        actions: Mapping[int, ActionDecoder],
    ) -> None:
        """ValueError: this table has to be left to the general path."""

class Batch:
    def __init__(self, request: bytes, tables: Mapping[int, TableDecoder]) -> None: ...
    def __len__(self) -> int: ...

def parse_header(request: bytes) -> tuple[int, str, int | None, int] | None: ...
def frame_entries(entries: list[bytes], limit: int) -> list[bytes]: ...
