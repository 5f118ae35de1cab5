"""A Read: every query answered under one lock, the entities cut into messages of fair size."""

from __future__ import annotations

from collections.abc import Iterable

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchError
from qplane_cext.switch.p4rt_fast import frame_entries

from .errors import BatchError, StatusError, from_switch_error
from .roles import RoleScope
from .state import ForwardingState

READ_FAILED = "Read failure."
RESPONSE_BYTES = 1 << 20  # clients accept messages of 4 MB by default


def read_all(
    state: ForwardingState, queries: Iterable[p4r.Entity], scope: RoleScope
) -> tuple[list[bytes], BatchError | None]:
    """Serialized ReadResponse messages, and the error to end with when a query was refused."""
    batches = _Batches()
    errors: list[StatusError | None] = []
    for query in queries:
        try:
            plain = state.plain_entries(query, scope)
            if plain is not None:
                batches.add_entries(plain)
            else:
                for entity in state.read(query, scope):
                    batches.add(entity)
        except StatusError as error:
            errors.append(error)
        except SwitchError as error:
            errors.append(from_switch_error(error))
        else:
            errors.append(None)
    failed = any(error is not None for error in errors)
    return batches.finish(), BatchError(READ_FAILED, errors) if failed else None


class _Batches:
    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, entity: p4r.Entity) -> None:
        data = entity.SerializeToString()
        # ReadResponse.entities is field 1, length-delimited.
        self._parts += (b"\x0a", _varint(len(data)), data)
        self._size += len(data)
        if self._size >= RESPONSE_BYTES:
            self._flush()

    def add_entries(self, entries: list[bytes]) -> None:
        """Many serialized TableEntry messages at once."""
        self._flush()
        self._done += frame_entries(entries, RESPONSE_BYTES)

    def _flush(self) -> None:
        if self._parts:
            self._done.append(b"".join(self._parts))
        self._parts, self._size = [], 0

    def finish(self) -> list[bytes]:
        self._flush()
        return self._done


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
