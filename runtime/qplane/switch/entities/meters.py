"""Indexed and direct meters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from finsy.proto import p4i, p4r

from qplane_cext.switch.core import SwitchCore

from ..errors import invalid
from ..p4info import Array, P4InfoIndex
from .base import Journal, Kind, MayRead, cell_range, only_modify

if TYPE_CHECKING:
    from qplane_cext.switch.core import MeterColors, MeterRates

_NO_COLORS: MeterColors = ((0, 0), (0, 0), (0, 0))


def decode_config(config: p4r.MeterConfig, spec: p4i.MeterSpec | None, what: str) -> MeterRates:
    """The rates of a configuration. INVALID_ARGUMENT when they contradict the meter's type.

    A single-rate meter without an excess burst is a two-rate one with equal rates.
    """
    for name in ("cir", "cburst", "pir", "pburst", "eburst"):
        if getattr(config, name) < 0:
            raise invalid(f"{what}: {name} is negative ({getattr(config, name)})")
    if config.cir > config.pir:
        raise invalid(f"{what}: cir {config.cir} is above pir {config.pir}")
    kind = spec.type if spec is not None else p4i.MeterSpec.TWO_RATE_THREE_COLOR
    if kind != p4i.MeterSpec.TWO_RATE_THREE_COLOR and (
        config.pir != config.cir or config.pburst != config.cburst
    ):
        raise invalid(f"{what}: a single-rate meter needs pir = cir and pburst = cburst")
    if config.eburst and kind != p4i.MeterSpec.SINGLE_RATE_THREE_COLOR:
        raise invalid(f"{what}: eburst is for single-rate three-colour meters")
    return float(config.cir), config.cburst, float(config.pir), config.pburst, config.eburst


def encode_rates(rates: MeterRates) -> p4r.MeterConfig:
    """Rates as they are in the packet path, as a message."""
    cir, cburst, pir, pburst, eburst = rates
    return p4r.MeterConfig(cir=int(cir), cburst=cburst, pir=int(pir), pburst=pburst, eburst=eburst)


def check_color_reset(data: p4r.MeterCounterData, what: str) -> None:
    """INVALID_ARGUMENT unless all is zero: counters by colour can only be reset."""
    for name in ("green", "yellow", "red"):
        count = getattr(data, name)
        if count.packet_count or count.byte_count:
            raise invalid(f"{what}: the {name} counter can only be set to 0")


def reset_colors(core: SwitchCore, name: str, index: int, journal: Journal) -> None:
    """Forget what a meter counted."""
    before = core.meter_colors(name, index)
    core.meter_colors_write(name, index, _NO_COLORS)
    journal.append(partial(core.meter_colors_write, name, index, before))


def encode_colors(colors: MeterColors) -> p4r.MeterCounterData:
    """What a meter counted, as a message."""
    green, yellow, red = (p4r.CounterData(packet_count=p, byte_count=b) for p, b in colors)
    return p4r.MeterCounterData(green=green, yellow=yellow, red=red)


class MeterStore:
    """``MeterEntry``: cells of indexed meters."""

    def __init__(self, index: P4InfoIndex, core: SwitchCore) -> None:
        self._index = index
        self._core = core

    def p4_id(self, message: p4r.MeterEntry) -> int:
        """The meter's id."""
        return message.meter_id

    def write(self, kind: Kind, message: p4r.MeterEntry, journal: Journal) -> None:
        """Configure one cell or all; an unset configuration is the default (all green)."""
        meter = self._index.meter(message.meter_id)
        what = f"meter {meter.name!r}"
        only_modify(kind, what)
        check_color_reset(message.counter_data, what)
        rates = None
        if message.HasField("config"):
            rates = decode_config(message.config, meter.meter_spec, what)
        for cell in cell_range(message, meter.size, what):
            before = self._core.meter_read(meter.name, cell)
            self._core.meter_write(meter.name, cell, rates)
            journal.append(partial(self._core.meter_write, meter.name, cell, before))
            if message.HasField("counter_data"):
                reset_colors(self._core, meter.name, cell, journal)

    def read(self, query: p4r.MeterEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One cell, one meter or all meters; counters by colour when the query asks for them."""
        if query.meter_id:
            yield from self._read(self._index.meter(query.meter_id), query)
            return
        for meter in self._index.meters.values():
            if may_read(meter.id):
                every = p4r.MeterEntry()
                if query.HasField("counter_data"):
                    every.counter_data.SetInParent()
                yield from self._read(meter, every)

    def _read(self, meter: Array, query: p4r.MeterEntry) -> Iterator[p4r.Entity]:
        for cell in cell_range(query, meter.size, f"meter {meter.name!r}"):
            entity = p4r.Entity()
            entity.meter_entry.meter_id = meter.id
            entity.meter_entry.index.index = cell
            rates = self._core.meter_read(meter.name, cell)
            if rates is not None:
                entity.meter_entry.config.CopyFrom(encode_rates(rates))
            if query.HasField("counter_data"):
                colors = self._core.meter_colors(meter.name, cell)
                entity.meter_entry.counter_data.CopyFrom(encode_colors(colors))
            yield entity
