"""BMv2's DataplaneInterface: packets and port states over gRPC."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import grpc
import pytest

from qplane.switch.backends.base import BackendError
from qplane.switch.backends.grpc_stream import MESSAGES, SERVICE, GrpcStreamBackend

Response = MESSAGES["PacketStreamResponse"]
Request = MESSAGES["PacketStreamRequest"]


class Bench:
    """A back end whose switch sends each packet to the next port."""

    def __init__(self) -> None:
        self.states: list[tuple[int, bool]] = []
        self.backend = GrpcStreamBackend("127.0.0.1:0", 1)
        self.backend.start(
            lambda port, data: self.backend.send(port + 1, data),
            lambda port, up: self.states.append((port, up)),
            None,
        )
        self.channel = grpc.insecure_channel(self.backend.address)

    def stream(self, requests: Iterator[object]) -> grpc.Call:
        return self.channel.stream_stream(
            f"/{SERVICE}/PacketStream",
            request_serializer=Request.SerializeToString,
            response_deserializer=Response.FromString,
        )(requests)

    def set_status(self, **fields: int) -> None:
        message = MESSAGES["SetPortOperStatusRequest"](**fields)
        self.channel.unary_unary(f"/{SERVICE}/SetPortOperStatus")(message.SerializeToString())


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.channel.close()
    found.backend.stop()


def test_packets_go_in_and_come_out_with_the_id_of_their_cause(bench: Bench) -> None:
    requests: queue.Queue[object] = queue.Queue()
    call = bench.stream(iter(requests.get, None))
    requests.put(Request(id=7, device_id=1, port=3, packet=b"abc"))
    assert next(call) == Response(id=7, device_id=1, port=4, packet=b"abc")
    requests.put(Request(id=8, device_id=9, port=3, packet=b"for another device"))
    requests.put(Request(id=9, device_id=1, port=5, packet=b"d"))
    assert next(call) == Response(id=9, device_id=1, port=6, packet=b"d")
    requests.put(None)
    assert list(call) == []


def test_one_client_at_a_time(bench: Bench) -> None:
    requests: queue.Queue[object] = queue.Queue()
    call = bench.stream(iter(requests.get, None))
    requests.put(Request(id=1, device_id=1, port=1, packet=b"x"))
    next(call)
    with pytest.raises(grpc.RpcError) as caught:
        next(bench.stream(iter(threading.Event().wait, True)))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    requests.put(None)
    assert list(call) == []
    again = bench.stream(iter([Request(id=2, device_id=1, port=1, packet=b"y")]))
    assert next(again).id == 2


def test_port_states_are_reported_and_checked(bench: Bench) -> None:
    bench.set_status(device_id=1, port=3, oper_status=1)
    bench.set_status(device_id=1, port=3, oper_status=2)
    assert bench.states == [(3, False), (3, True)]
    for wrong in ({"device_id": 2, "oper_status": 1}, {"device_id": 1, "oper_status": 0}):
        with pytest.raises(grpc.RpcError) as caught:
            bench.set_status(port=3, **wrong)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_address_in_use_is_refused_by_name(bench: Bench) -> None:
    other = GrpcStreamBackend(bench.backend.address, 1)
    with pytest.raises(BackendError, match="--dp-grpc-server-addr: can't listen on"):
        other.start(lambda port, data: None, lambda port, up: None, None)
