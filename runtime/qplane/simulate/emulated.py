"""An embedded switch of an emulated network, as its P4Runtime clients see it."""

from __future__ import annotations

from collections.abc import Callable

from finsy.proto import p4r

from qplane.switch.device import Device
from qplane.switch.stream import ClientStream


class EmulatedSwitch(Device):
    """Counts what it exchanges with its primary since that came, so that virtual time can wait
    until all of it has arrived.

    `on_exchange` is called, from any thread, when a packet has been sent to the primary and when a
    primary has come or gone.
    """

    on_exchange: Callable[[], None] | None = None
    _ins_before = 0
    packet_outs_received = 0  # by the packet path, from this primary

    @property
    def has_primary(self) -> bool:
        """Whether packet-ins have a receiver."""
        return bool(self._routes.primaries)

    @property
    def packet_ins_to_primary(self) -> int:
        return self.packet_ins_sent - self._ins_before

    def deliver_to_cpu(self, *packets: bytes) -> None:
        """As the device does, and tell of it."""
        super().deliver_to_cpu(*packets)
        self._exchanged()

    def _route(self) -> None:
        super()._route()
        self._exchanged()

    def _exchanged(self) -> None:
        if self.on_exchange is not None:
            self.on_exchange()

    def serve_stream_message(self, stream: ClientStream, request: p4r.StreamMessageRequest) -> None:
        """As the device does; a new primary begins to count at 0."""
        super().serve_stream_message(stream, request)
        is_bid = request.WhichOneof("update") == "arbitration" and not request.arbitration.role.name
        if is_bid and any(stream is primary for primary, _ in self._routes.primaries):
            self._ins_before = self.packet_ins_sent
            self.packet_outs_received = 0
