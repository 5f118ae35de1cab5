"""The common P4Runtime Write straight from the wire; see the .pyx."""

from collections.abc import Mapping, Sequence
from typing import Any

class ActionDecoder:
    ref: Any
    def __init__(self, ref: object, widths: Sequence[int]) -> None: ...

class TableDecoder:
    store: Any
    def __init__(
        self,
        store: object,
        fields: Sequence[tuple[str, int]],
        needs_priority: bool,
        has_timeout: bool,
        actions: Mapping[int, ActionDecoder],
    ) -> None: ...

def parse_header(request: bytes) -> tuple[int, str, int | None, int] | None: ...
def decode_updates(
    request: bytes, tables: Mapping[int, TableDecoder]
) -> list[tuple[Any, ...] | bytes]: ...
def frame_entries(entries: list[bytes], limit: int) -> list[bytes]: ...
