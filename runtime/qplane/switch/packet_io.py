"""Packet-in and packet-out: the metadata messages against the bits of the controller headers."""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4i, p4r

from qplane_cext.switch.p4rt_packets import PacketInEncoder

from . import bytestrings
from .errors import StatusError, invalid


class ControllerHeader:
    """One ``@controller_header`` ("packet_in" or "packet_out") as P4Info describes it.

    P4Info leaves fields with @padding out. Bits that are missing to a whole byte are at the end.
    """

    def __init__(
        self, metadata: Sequence[p4i.ControllerPacketMetadata.Metadata], name: str
    ) -> None:
        bits = sum(field.bitwidth for field in metadata)
        bits += -bits % 8
        if any(field.bitwidth < 1 for field in metadata):
            raise invalid(f"controller header {name!r}: a field without a width")
        self.name = name
        self.length = bits // 8
        self._bits = bits
        self._fields: list[tuple[int, str, int, int]] = []  # id, name, bitwidth, shift
        shift = bits
        for field in metadata:
            shift -= field.bitwidth
            self._fields.append((field.id, field.name, field.bitwidth, shift))
        self._by_id = {field[0]: field for field in self._fields}
        places = [(field[0], bits - field[3] - field[2], field[2]) for field in self._fields]
        self._encoder: PacketInEncoder | None
        try:
            self._encoder = PacketInEncoder(places, self.length)
        except ValueError:  # an unusual header
            self._encoder = None

    def encode(self, packet: bytes) -> bytes | None:
        """What :meth:`split` gives, as a serialized StreamMessageResponse."""
        if self._encoder is not None:
            return self._encoder.encode(packet)
        message = self.split(packet)
        if message is None:
            return None
        data: bytes = p4r.StreamMessageResponse(packet=message).SerializeToString()
        return data

    def split(self, packet: bytes) -> p4r.PacketIn | None:
        """A packet that left on the CPU port as a PacketIn; None when it is too short."""
        if len(packet) < self.length:
            return None
        header = int.from_bytes(packet[: self.length], "big")
        message = p4r.PacketIn(payload=packet[self.length :])
        for field_id, _, bitwidth, shift in self._fields:
            value = header >> shift & ((1 << bitwidth) - 1)
            width = (value.bit_length() + 7) >> 3 or 1
            message.metadata.add(metadata_id=field_id, value=value.to_bytes(width, "big"))
        return message

    def join(self, message: p4r.PacketOut) -> bytes:
        """A PacketOut as the packet that enters on the CPU port.

        INVALID_ARGUMENT or OUT_OF_RANGE when its metadata is not exactly what P4Info lists.
        """
        header = 0
        seen = set()
        for item in message.metadata:
            field = self._by_id.get(item.metadata_id)
            if field is None:
                raise invalid(f"{self.name}: unknown metadata id {item.metadata_id}")
            if item.metadata_id in seen:
                raise invalid(f"{self.name}: metadata {field[1]!r} is given twice")
            seen.add(item.metadata_id)
            try:
                value = bytestrings.decode(item.value, field[2], f"{self.name}.{field[1]}")
            except StatusError as error:
                # StreamError knows this as metadata that does not match the P4Info.
                raise invalid(error.message) from error
            header |= int.from_bytes(value, "big") << field[3]
        for field in self._fields:
            if field[0] not in seen:
                raise invalid(f"{self.name}: metadata {field[1]!r} (id {field[0]}) is missing")
        return header.to_bytes(self.length, "big") + message.payload


EMPTY_HEADER = ControllerHeader([], "none")


def controller_headers(p4info: p4i.P4Info) -> tuple[ControllerHeader, ControllerHeader]:
    """The packet-in and the packet-out header; empty ones where the program has none."""
    found = {
        item.preamble.name: ControllerHeader(item.metadata, item.preamble.name)
        for item in p4info.controller_packet_metadata
    }
    return found.get("packet_in", EMPTY_HEADER), found.get("packet_out", EMPTY_HEADER)
