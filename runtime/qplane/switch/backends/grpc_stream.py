"""BMv2's ``p4.bm.DataplaneInterface``: packets and port states over gRPC.

The messages are few and flat, so their descriptors are written here; field numbers and types
are the wire format of the reference's ``dataplane_interface.proto``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ..bursts import burst_sender
from ..listen import LISTEN_OPTIONS, ListenError, bind
from ..stream import ClientStream
from .base import BackendError, Direct, PortStatus, Receive

SERVICE = "p4.bm.DataplaneInterface"
OPER_STATUS_DOWN, OPER_STATUS_UP = 1, 2
_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKET_FIELDS = (
    ("id", _FIELD.TYPE_UINT64),
    ("device_id", _FIELD.TYPE_UINT64),
    ("port", _FIELD.TYPE_UINT32),
    ("packet", _FIELD.TYPE_BYTES),
)
_MESSAGES = {
    "PacketStreamRequest": _PACKET_FIELDS,
    "PacketStreamResponse": _PACKET_FIELDS,
    "SetPortOperStatusRequest": (
        ("device_id", _FIELD.TYPE_UINT64),
        ("port", _FIELD.TYPE_UINT32),
        ("oper_status", _FIELD.TYPE_INT32),  # an enum travels as one
    ),
    "SetPortOperStatusResponse": (),
}


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="qplane/dataplane_interface.proto", package="p4.bm", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, 1):
            message.field.add(name=field, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"p4.bm.{name}"))
        for name in _MESSAGES
    }


MESSAGES = _message_classes()


class GrpcStreamBackend:
    """All ports over one gRPC stream; one client at a time, as with the reference."""

    def __init__(self, address: str, device_id: int) -> None:
        self._address = address
        self.address = address  # as bound
        self._device_id = device_id
        self._server: grpc.Server | None = None
        self._client: ClientStream | None = None
        self._lock = threading.Lock()
        self._request_id = threading.local()  # of the packet being processed by this thread

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct) -> None:
        """Listen on the address."""
        self._receive, self._port_status = receive, port_status
        server = grpc.server(
            ThreadPoolExecutor(8, thread_name_prefix="dataplane"), options=LISTEN_OPTIONS
        )
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    SERVICE,
                    {
                        "PacketStream": grpc.stream_stream_rpc_method_handler(
                            self._packet_stream, MESSAGES["PacketStreamRequest"].FromString
                        ),
                        "SetPortOperStatus": grpc.unary_unary_rpc_method_handler(
                            self._set_status, MESSAGES["SetPortOperStatusRequest"].FromString
                        ),
                    },
                ),
            )
        )
        try:
            self.address = bind(server, self._address, None, "DataplaneInterface")
        except ListenError as error:
            raise BackendError(f"--dp-grpc-server-addr: {error}") from error
        server.start()
        self._server = server

    def _set_status(self, request: Any, context: grpc.ServicerContext) -> bytes:
        if request.device_id != self._device_id:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid device id")
        if request.oper_status not in (OPER_STATUS_DOWN, OPER_STATUS_UP):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid oper status")
        self._port_status(request.port, request.oper_status == OPER_STATUS_UP)
        return b""

    def _packet_stream(
        self, requests: Iterable[Any], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        client = ClientStream(context.peer())
        with self._lock:
            if self._client is not None:
                context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED, "only one client authorized at a time"
                )
            self._client = client
        context.add_callback(client.close)
        threading.Thread(target=self._read, args=(requests, client), daemon=True).start()
        try:
            send = burst_sender(context)
            while messages := client.take():
                if send is None:
                    yield from messages
                elif not send(messages):
                    break
        finally:
            with self._lock:
                self._client = None

    def _read(self, requests: Iterable[Any], client: ClientStream) -> None:
        try:
            for request in requests:
                if request.device_id == self._device_id and request.packet:
                    self._request_id.value = request.id
                    self._receive(request.port, request.packet)
        except grpc.RpcError:
            pass  # the client is gone
        finally:
            client.close()

    def send(self, port: int, data: bytes) -> None:
        """Hand a packet to the client; without one it is dropped."""
        client = self._client
        if client is not None:
            message = MESSAGES["PacketStreamResponse"](
                id=getattr(self._request_id, "value", 0),
                device_id=self._device_id,
                port=port,
                packet=data,
            )
            client.offer(message.SerializeToString())

    def stop(self) -> None:
        """End the stream and the server."""
        if self._client is not None:
            self._client.close()
        if self._server is not None:
            self._server.stop(grace=0.2).wait(0.5)
