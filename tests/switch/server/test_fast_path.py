"""The wire decoder against the general path: the same statuses, the same state, whatever comes."""

from __future__ import annotations

from collections.abc import Callable

from finsy.proto import p4r
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qplane.switch.device import Device
from qplane.switch.errors import BatchError, Code, StatusError
from qplane.switch.pipeline_config import load_config
from qplane.switch.service import P4RuntimeService
from qplane.switch.stream import ClientStream
from qplane_cext.switch.core import SwitchCore
from qplane_cext.switch.p4rt_fast import decode_updates, frame_entries, parse_header

from .entries import acl, host, one_of_everything, route
from .model import CONFIG, NAMES, updates

LOADED = load_config(CONFIG)


class Switch:
    """A device and its service, without a socket."""

    def __init__(self) -> None:
        self.device = Device(1, SwitchCore(), inject=lambda port, data: None)
        self.service = P4RuntimeService()
        self.service.add_device(self.device)
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = 1
        request.arbitration.election_id.low = 1
        self.device.serve_stream_message(ClientStream(), request)
        self.device.commit(LOADED)

    def general(self, data: bytes) -> None:
        """Write by way of protobuf's own decoder and nothing else."""
        try:
            request = p4r.WriteRequest.FromString(data)
        except DecodeError as error:
            raise StatusError(Code.INTERNAL, str(error)) from error
        self.service._device(request.device_id).write(request)

    def everything(self) -> list[bytes]:
        request = p4r.ReadRequest(device_id=1)
        for update in one_of_everything(NAMES):
            entity = request.entities.add()
            getattr(entity, update.entity.WhichOneof("entity")).SetInParent()
        responses, error = self.device.read(request)
        assert error is None
        entities = [e for data in responses for e in p4r.ReadResponse.FromString(data).entities]
        return sorted(entity.SerializeToString(deterministic=True) for entity in entities)


def outcome(write: Callable[[bytes], object], data: bytes) -> list[Code]:
    try:
        write(data)
    except StatusError as error:
        return [error.code]
    except BatchError as error:
        return [Code.UNKNOWN, *(one.code if one else Code.OK for one in error.errors)]
    return []


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Serialized requests, some of them damaged on the wire."""
    request = p4r.WriteRequest(device_id=1)
    request.election_id.low = draw(st.sampled_from([1, 1, 1, 1, 2]))
    for case in draw(st.lists(updates(), min_size=1, max_size=5)):
        request.updates.append(case.update)
    data = bytearray(request.SerializeToString())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        change = draw(st.sampled_from(["flip", "set", "insert", "delete", "cut"]))
        if not data:
            break
        if change == "flip":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif change == "set":
            data[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
        elif change == "insert":
            data.insert(place, draw(st.integers(0, 255)))
        elif change == "delete":
            del data[place]
        else:
            del data[place:]
    return bytes(data)


@settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(st.lists(requests(), min_size=1, max_size=8))
def test_both_paths_give_the_same_statuses_and_the_same_state(batches: list[bytes]) -> None:
    fast, plain = Switch(), Switch()
    for data in batches:
        found, expected = outcome(fast.service.write, data), outcome(plain.general, data)
        if expected == [Code.INTERNAL]:  # undecodable: it may be refused for its sender before
            assert found in ([Code.INTERNAL], [Code.PERMISSION_DENIED], [Code.NOT_FOUND])
        else:
            assert found == expected
    assert fast.everything() == plain.everything()


def test_ordinary_entries_are_decoded_and_odd_ones_handed_back() -> None:
    tables = Switch().device._state.tables.decoders  # type: ignore[union-attr]
    request = p4r.WriteRequest(device_id=1, role="r")
    request.election_id.high, request.election_id.low = 1, 2
    good = [host(NAMES, 1, 300, metadata=b"m", idle_timeout_ns=5), route(NAMES, 0x0A000000, 8)]
    odd = [acl(NAMES, 5), host(NAMES, 1, is_const=True), host(NAMES, 1, priority=1)]
    for entry in good + odd:
        request.updates.add(type=1).entity.table_entry.CopyFrom(entry)
    data = request.SerializeToString()
    assert parse_header(data) == (1, "r", (1 << 64) + 2, 0)
    decoded = decode_updates(data, tables)
    assert [isinstance(one, tuple) for one in decoded] == [True, True, False, False, False]
    kind, _, key, action, params, metadata, cookie, timeout, wire, raw = decoded[0]
    assert (kind, key, params) == (1, ((b"\0\0\0\0\0\1",), 0), (b"\x01\x2c",))
    assert action.ref.action.name == "IngressImpl.host"
    assert (metadata, cookie, timeout) == (b"m", 0, 5)
    assert wire == good[0].SerializeToString()
    assert p4r.Update.FromString(raw) == request.updates[0]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=50), st.integers(1, 2000))
def test_entries_are_framed_as_protobuf_would(payloads: list[bytes], limit: int) -> None:
    entries = [p4r.TableEntry(table_id=1, metadata=one).SerializeToString() for one in payloads]
    responses = frame_entries(entries, limit)
    found = [e for data in responses for e in p4r.ReadResponse.FromString(data).entities]
    assert [entity.table_entry.metadata for entity in found] == payloads
    assert all(len(data) < limit + 400 for data in responses)
