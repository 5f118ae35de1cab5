"""An embedded switch of an emulated network, as its P4Runtime clients see it."""

from __future__ import annotations

from finsy.proto import p4r

from qplane.switch.device import Device
from qplane.switch.stream import ClientStream


class EmulatedSwitch(Device):
    """Counts what it exchanges with its primary since that came, so that virtual time can wait
    until all of it has arrived."""

    _ins_before = 0
    packet_outs_received = 0  # by the packet path, from this primary

    @property
    def has_primary(self) -> bool:
        """Whether packet-ins have a receiver."""
        return bool(self._routes.primaries)

    @property
    def packet_ins_to_primary(self) -> int:
        return self.packet_ins_sent - self._ins_before

    def serve_stream_message(self, stream: ClientStream, request: p4r.StreamMessageRequest) -> None:
        """As the device does; a new primary begins to count at 0."""
        super().serve_stream_message(stream, request)
        is_bid = request.WhichOneof("update") == "arbitration" and not request.arbitration.role.name
        if is_bid and any(stream is primary for primary, _ in self._routes.primaries):
            self._ins_before = self.packet_ins_sent
            self.packet_outs_received = 0
