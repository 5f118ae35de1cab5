"""Packet-in and packet-out: the metadata messages against the bits of the controller headers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from finsy.proto import p4i, p4r, p4t

from qplane_cext.switch.p4rt_packets import PacketInEncoder

from . import bytestrings
from .errors import StatusError, invalid, text_translation

Metadata = p4i.ControllerPacketMetadata.Metadata
HeaderFields = Sequence[tuple[str, int]]  # name and bits of each field of a header type
_Field = tuple[int, str, int, int]  # id, name, bits, shift


class ControllerHeader:
    """One ``@controller_header`` ("packet_in" or "packet_out") as P4Info describes it.

    Bits that are missing to a whole byte are at the end.
    """

    def __init__(
        self,
        metadata: Sequence[Metadata],
        name: str,
        widths: Sequence[int] | None = None,
    ) -> None:
        """``widths``: bits of each field in the packet, where P4Info's are a controller's.

        INVALID_ARGUMENT: a field without a width.
        """
        if widths is None:
            widths = [field.bitwidth for field in metadata]
        bits = sum(widths)
        bits += -bits % 8
        if min(widths, default=1) < 1:
            raise invalid(f"controller header {name!r}: a field without a width")
        self.name = name
        self.length = bits // 8
        self._bits = bits
        self._fields: list[_Field] = []
        shift = bits
        for field, width in zip(metadata, widths, strict=True):
            shift -= width
            self._fields.append((field.id, field.name, width, shift))
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
        for field in self._fields:
            message.metadata.add(metadata_id=field[0], value=_value(header, field))
        return message

    def value(self, packet: bytes, metadata_id: int) -> bytes | None:
        """One field of a packet that left on the CPU port; None when the header has none such."""
        field = self._by_id.get(metadata_id)
        if field is None:
            return None
        return _value(int.from_bytes(packet[: self.length], "big"), field)

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


def _value(header: int, field: _Field) -> bytes:
    value = header >> field[3] & ((1 << field[2]) - 1)
    return value.to_bytes((value.bit_length() + 7) >> 3 or 1, "big")


EMPTY_HEADER = ControllerHeader([], "none")


def controller_headers(
    p4info: p4i.P4Info, types: Collection[HeaderFields]
) -> tuple[ControllerHeader, ControllerHeader]:
    """The packet-in and the packet-out header; empty ones where the program has none.

    ``types``: the program's header types. INVALID_ARGUMENT: P4Info describes none of them;
    UNIMPLEMENTED: a field is translated to strings.
    """
    found = {
        item.preamble.name: ControllerHeader(
            item.metadata,
            item.preamble.name,
            _packet_widths(item.metadata, item.preamble.name, p4info.type_info, types),
        )
        for item in p4info.controller_packet_metadata
    }
    return found.get("packet_in", EMPTY_HEADER), found.get("packet_out", EMPTY_HEADER)


def _packet_widths(
    metadata: Sequence[Metadata],
    name: str,
    types: p4t.P4TypeInfo,
    headers: Collection[HeaderFields],
) -> list[int]:
    """Bits of each field in the packet.

    P4Info has those of the controller's type for a translated field
    (``@p4runtime_translation``); the packet's are in the header type with the same fields.
    """
    widths: list[int | None] = []  # None: translated
    for field in metadata:
        new_type = types.new_types.get(field.type_name.name)
        if new_type is None or not new_type.HasField("translated_type"):
            widths.append(field.bitwidth)
        elif new_type.translated_type.WhichOneof("sdn_type") == "sdn_string":
            raise text_translation(f"controller header {name!r}, field {field.name!r}")
        else:
            widths.append(None)
    if None not in widths:
        return [width for width in widths if width is not None]
    names = [field.name for field in metadata]
    fitting = {
        tuple(bits for _, bits in fields)
        for fields in headers
        if [one for one, _ in fields] == names
        and all(width in (None, bits) for width, (_, bits) in zip(widths, fields, strict=True))
    }
    if len(fitting) != 1:
        raise invalid(
            f"controller header {name!r}: {len(fitting)} header types in the device config have "
            "its fields, so the widths of the translated ones are not known"
        )
    return list(fitting.pop())
