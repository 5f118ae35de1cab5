"""Register arrays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from ..errors import invalid
from ..p4info import Array, P4InfoIndex
from .base import Journal, Kind, MayRead, cell_range, only_modify


class RegisterStore:
    """``RegisterEntry``: cells of register arrays."""

    def __init__(self, index: P4InfoIndex, core: SwitchCore) -> None:
        self._index = index
        self._core = core

    def p4_id(self, message: p4r.RegisterEntry) -> int:
        """The register array's id."""
        return message.register_id

    def write(self, kind: Kind, message: p4r.RegisterEntry, journal: Journal) -> None:
        """Set one cell or all of them."""
        register = self._index.register(message.register_id)
        what = f"register {register.name!r}"
        only_modify(kind, what)
        cells = cell_range(message, register.size, what)
        if not message.HasField("data"):
            raise invalid(f"{what}: data is not set")
        assert register.type is not None
        value = b"".join(register.type.to_leaves(message.data))
        for cell in cells:
            before = self._core.register_read(register.name, cell)
            self._core.register_write(register.name, cell, value)
            journal.append(partial(self._core.register_write, register.name, cell, before))

    def read(self, query: p4r.RegisterEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One cell, one array or all arrays."""
        if query.register_id:
            yield from self._read(self._index.register(query.register_id), query)
            return
        for register in self._index.registers.values():
            if may_read(register.id):
                yield from self._read(register, p4r.RegisterEntry())

    def _read(self, register: Array, query: p4r.RegisterEntry) -> Iterator[p4r.Entity]:
        assert register.type is not None
        cells = cell_range(query, register.size, f"register {register.name!r}")
        if len(cells) == 1:
            values = [self._core.register_read(register.name, cells[0])]
        else:
            values = self._core.register_read_all(register.name)
        for cell, value in zip(cells, values, strict=True):
            entity = p4r.Entity()
            entity.register_entry.register_id = register.id
            entity.register_entry.index.index = cell
            entity.register_entry.data.CopyFrom(register.type.to_message([value]))
            yield entity
