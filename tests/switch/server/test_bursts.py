"""Messages that the server's own thread sends one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from qplane.switch import bursts

BIG = 1 << 16  # bytes: a client's window takes a few of these
WAIT_S = 10.0

Handler = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]
Served = Callable[[Handler], tuple[grpc.Server, grpc.StreamStreamMultiCallable]]


@pytest.fixture
def served() -> Iterator[Served]:
    cleanups: list[Callable[[], object]] = []

    def start(handler: Handler) -> tuple[grpc.Server, grpc.StreamStreamMultiCallable]:
        server = grpc.server(ThreadPoolExecutor(4))
        methods = {"Call": grpc.stream_stream_rpc_method_handler(handler)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", methods),))
        channel = grpc.insecure_channel(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
        server.start()
        cleanups.append(lambda: server.stop(0.1).wait())
        cleanups.append(channel.close)
        return server, channel.stream_stream("/s/Call")

    yield start
    for cleanup in reversed(cleanups):
        cleanup()


def test_the_installed_grpcio_sends_bursts_and_they_arrive_in_order(served: Served) -> None:
    senders: list[object] = []

    def handler(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        send = bursts.burst_sender(context)
        senders.append(send)
        assert send is not None
        for size in (1, 2, 64, 1000):
            assert send([bytes([number & 0xFF]) * 3 for number in range(size)])
        yield b"last"

    _, call = served(handler)
    expected = [bytes([number & 0xFF]) * 3 for size in (1, 2, 64, 1000) for number in range(size)]
    assert list(call(iter(()))) == [*expected, b"last"]
    assert senders[0] is not None


def test_a_client_that_leaves_ends_a_burst_and_the_call(served: Served) -> None:
    results: list[bool] = []
    ended = threading.Event()

    def handler(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        assert context.add_callback(ended.set)
        send = bursts.burst_sender(context)
        assert send is not None
        results.append(send([bytes(BIG)] * 500))  # more than fits while nobody reads
        results.append(send([b"x"]))
        yield from ()

    server, call = served(handler)
    stream = call(iter(()))
    assert next(stream) == bytes(BIG)
    assert not results  # the client has read one of 500
    stream.cancel()
    assert ended.wait(WAIT_S)
    server.stop(0).wait(WAIT_S)
    assert results == [False, False]


def test_another_grpcio_yields_its_messages(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bursts, "_Context", None)
    senders: list[object] = []

    def handler(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        senders.append(bursts.burst_sender(context))
        yield b"one"

    _, call = served(handler)
    assert list(call(iter(()))) == [b"one"]
    assert senders == [None]
