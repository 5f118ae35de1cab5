"""P4Runtime's stream within one process, for networks in virtual time that exchange many packets.

The same messages, serialized as for gRPC, reach the same device; what is left out is gRPC's way
through sockets and threads, which takes most of the time of a packet to or from the controller.
All other calls (Write, Read, the pipeline) go over gRPC.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

import grpc
from finsy.p4client import P4Client, P4ClientError
from finsy.proto import p4r

from qplane.switch.device import Device
from qplane.switch.errors import StatusError, grpc_status
from qplane.switch.stream import ClientStream


class DirectStream(ClientStream):
    """What a device writes to, read on the event loop of the thread that made it."""

    def __init__(self) -> None:
        super().__init__("in process")
        self.arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._unread: deque[bytes] = deque()
        self._is_over = False

    def offer(self, *messages: bytes) -> int:
        if self._is_over:
            return 0
        self._unread.extend(messages)
        self._tell()
        return len(messages)

    def notify(self, message: bytes) -> None:
        self.offer(message)

    def close(self, error: StatusError | None = None) -> None:
        if not self._is_over:
            self.error = error
            self._is_over = True
            self._tell()

    @property
    def closed(self) -> bool:
        return self._is_over

    def pop(self) -> bytes | None:
        """The next message; None: there is none now."""
        return self._unread.popleft() if self._unread else None

    def _tell(self) -> None:
        if threading.get_ident() == self._thread:
            self.arrived.set()
        else:
            self._loop.call_soon_threadsafe(self.arrived.set)


class DirectClient(P4Client):
    """finsy's client, whose stream ends at the device that `find` returns when it begins."""

    def __init__(self, address: str, find: Callable[[], Device]) -> None:
        super().__init__(address, wait_for_ready=False)
        self._find = find
        self._direct: DirectStream | None = None
        self._device: Device | None = None

    async def close(self) -> None:
        stream, self._direct = self._direct, None
        device, self._device = self._device, None
        if stream is not None and device is not None:
            device.disconnect(stream)
            stream.close()
        await super().close()

    async def send(self, msg: p4r.StreamMessageRequest) -> None:
        """As over gRPC; the device has dealt with it on return.

        Raises asyncio.InvalidStateError when the stream has ended.
        """
        if self._direct is None or self._device is None:
            self._direct, self._device = DirectStream(), self._find()
        elif self._direct.closed:
            raise asyncio.InvalidStateError("the stream has ended")
        request = p4r.StreamMessageRequest.FromString(msg.SerializeToString())
        try:
            self._device.serve_stream_message(self._direct, request)
        except StatusError as error:
            self._device.disconnect(self._direct)
            self._direct.close(error)

    async def receive(self) -> p4r.StreamMessageResponse:
        """As over gRPC. Raises P4ClientError, RuntimeError where the stream has ended."""
        stream = self._direct
        assert stream is not None  # `send` comes first
        while (message := stream.pop()) is None:
            if stream.error is not None:
                raise P4ClientError(_rpc_error(stream.error), "receive")
            if stream.closed:
                raise RuntimeError("the stream has ended")
            stream.arrived.clear()
            await stream.arrived.wait()
        response: p4r.StreamMessageResponse = p4r.StreamMessageResponse.FromString(message)
        return response


def _rpc_error(error: StatusError) -> grpc.RpcError:
    status, none = grpc_status(error), grpc.aio.Metadata()
    return grpc.aio.AioRpcError(status.code, none, none, details=status.details)
