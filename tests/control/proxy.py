"""Proxies in front of a P4Runtime server: one that can hold writes up or lose their answers, one
that falls silent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

SERVICE = "/p4.v1.P4Runtime/"


class WriteProxy(grpc.GenericRpcHandler):
    """Passes all calls on as bytes; a context manager that gives its address.

    After `passed` writes, the caller hears UNAVAILABLE of the next `lose`; the first `apply` of
    them are done all the same. While `hold` is cleared, writes wait; `held` is set when one does.
    """

    def __init__(self, target: str) -> None:
        self.passed = 0
        self.lose = 0
        self.apply = 0
        self.held = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self._until_hold: int | None = None
        self._refusing = False
        self._lock = threading.Lock()
        self._channel = grpc.insecure_channel(target)
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def hold_after(self, writes: int) -> None:
        """Let that many writes pass; the next one waits, and so do all behind it."""
        self._until_hold = writes

    def refuse(self) -> None:
        """What waits, and all that comes, is refused without being done."""
        self._refusing = True
        self.hold.set()

    def __enter__(self) -> WriteProxy:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()
        self._channel.close()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method
        if method == SERVICE + "StreamChannel":
            return grpc.stream_stream_rpc_method_handler(
                lambda requests, context: _pass(
                    context, lambda: self._channel.stream_stream(method)(requests)
                )
            )
        if method == SERVICE + "Read":
            return grpc.unary_stream_rpc_method_handler(
                lambda request, context: _pass(
                    context, lambda: self._channel.unary_stream(method)(request)
                )
            )
        call = self._channel.unary_unary(method)
        if method == SERVICE + "Write":
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: self._write(call, request, context)
            )
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: next(_pass(context, lambda: iter([call(request)])))
        )

    def _write(
        self, call: grpc.UnaryUnaryMultiCallable, request: bytes, context: grpc.ServicerContext
    ) -> bytes:
        with self._lock:
            if self._until_hold is not None:
                self._until_hold -= 1
                if self._until_hold < 0:
                    self.hold.clear()
                    self._until_hold = None
        if not self.hold.is_set():
            self.held.set()
            assert self.hold.wait(10)
        if self._refusing:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the controller is gone")
        if self.passed:
            self.passed -= 1
        elif self.lose:
            self.lose -= 1
            if self.apply:
                self.apply -= 1
                call(request)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the answer was lost")
        return next(_pass(context, lambda: iter([call(request)])))


def _pass(context: grpc.ServicerContext, call: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """The responses of a call, or its error with all that belongs to it."""
    try:
        yield from call()
    except grpc.RpcError as error:
        context.set_trailing_metadata(error.trailing_metadata() or ())
        context.abort(error.code(), error.details())


class SilentProxy:
    """Passes TCP connections on; an asynchronous context manager that gives its address.

    While `flowing` is cleared nothing gets through and nothing is closed, as when a cable is cut:
    neither side hears of it.
    """

    def __init__(self, target: str) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.address = ""
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SilentProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await self.flowing.wait()
                sink.write(data)
                await sink.drain()
            await self.flowing.wait()  # nor does the end of a connection get through
        except ConnectionError:
            pass  # the end of one side is that of the other
        finally:
            sink.close()
