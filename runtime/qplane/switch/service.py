"""The gRPC face of P4Runtime: finds the device, hands the request on, turns errors into status."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import grpc
from finsy.proto import p4r
from google.protobuf.message import DecodeError

from qplane_cext.switch.p4rt_fast import parse_header

from .bursts import burst_sender
from .device import Device
from .errors import BatchError, Code, StatusError, grpc_status, not_found
from .stream import ClientStream

log = logging.getLogger(__name__)

API_VERSION = "1.5.0"
SERVICE = "p4.v1.P4Runtime"
# Writes and reads let packet-ins go first, but never wait for longer than this.
COURTESY_S = 0.02


def _abort(context: grpc.ServicerContext, error: StatusError | BatchError) -> NoReturn:
    context.abort_with_status(grpc_status(error))
    raise AssertionError("abort_with_status returned")


class P4RuntimeService:
    """All calls of the service ``p4.v1.P4Runtime`` for the devices it knows."""

    def __init__(self) -> None:
        self._devices: dict[int, Device] = {}
        self._lock = threading.Lock()

    # ---- devices ----

    def devices(self) -> list[Device]:
        """The devices as they are now."""
        with self._lock:
            return list(self._devices.values())

    def add_device(self, device: Device) -> None:
        """Raises ValueError when the id is taken."""
        with self._lock:
            if device.device_id in self._devices:
                raise ValueError(f"device id {device.device_id} is taken")
            self._devices[device.device_id] = device

    def remove_device(self, device_id: int) -> None:
        """Raises KeyError when there is no such device."""
        with self._lock:
            device = self._devices.pop(device_id)
        device.close_streams(not_found(f"device {device_id} was removed"))

    def _device(self, device_id: int) -> Device:
        device = self._devices.get(device_id)
        if device is None:
            raise not_found(f"device {device_id} is not known to this server")
        return device

    # ---- calls ----

    def handler(self) -> grpc.GenericRpcHandler:
        """The method table for the gRPC server. Responses are serialized by the handlers."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        serve = self._unary
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Write": unary(serve(self.write)),
                "Read": grpc.unary_stream_rpc_method_handler(
                    self._read_stream, p4r.ReadRequest.FromString
                ),
                "SetForwardingPipelineConfig": unary(
                    serve(self.set_pipeline), p4r.SetForwardingPipelineConfigRequest.FromString
                ),
                "GetForwardingPipelineConfig": unary(
                    serve(self.get_pipeline), p4r.GetForwardingPipelineConfigRequest.FromString
                ),
                "StreamChannel": stream(self._stream_channel, p4r.StreamMessageRequest.FromString),
                "Capabilities": unary(serve(self.capabilities), p4r.CapabilitiesRequest.FromString),
            },
        )

    @staticmethod
    def _unary(call: Callable[[Any], bytes]) -> Callable[[Any, grpc.ServicerContext], bytes]:
        def serve(request: Any, context: grpc.ServicerContext) -> bytes:
            try:
                return call(request)
            except (StatusError, BatchError) as error:
                _abort(context, error)
            except Exception as error:
                log.exception("P4Runtime call failed")
                _abort(context, StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

        return serve

    def write(self, data: bytes) -> bytes:
        """Write: apply a serialized batch of updates."""
        header = parse_header(data)
        if header is not None and header[3] == p4r.WriteRequest.CONTINUE_ON_ERROR:
            device_id, role, election_id, _ = header
            device = self._device(device_id)
            device.let_packet_ins_pass(COURTESY_S)
            device.write_wire(data, role, election_id)
            return b""
        try:
            request = p4r.WriteRequest.FromString(data)
        except DecodeError as error:
            raise StatusError(Code.INTERNAL, f"can't decode the WriteRequest: {error}") from error
        device = self._device(request.device_id)
        device.let_packet_ins_pass(COURTESY_S)
        device.write(request)
        return b""

    def set_pipeline(self, request: p4r.SetForwardingPipelineConfigRequest) -> bytes:
        """SetForwardingPipelineConfig."""
        self._device(request.device_id).set_pipeline(request)
        return b""

    def get_pipeline(self, request: p4r.GetForwardingPipelineConfigRequest) -> bytes:
        """GetForwardingPipelineConfig."""
        response = self._device(request.device_id).get_pipeline(request)
        data: bytes = response.SerializeToString()
        return data

    def capabilities(self, request: p4r.CapabilitiesRequest) -> bytes:
        """Capabilities; a device id only filters."""
        if request.device_id:
            self._device(request.device_id)
        response = p4r.CapabilitiesResponse(p4runtime_api_version=API_VERSION)
        data: bytes = response.SerializeToString()
        return data

    def _read_stream(
        self, request: p4r.ReadRequest, context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        try:
            device = self._device(request.device_id)
            device.let_packet_ins_pass(COURTESY_S)
            responses, error = device.read(request)
        except StatusError as refusal:
            _abort(context, refusal)
        except Exception as failure:
            log.exception("P4Runtime read failed")
            _abort(context, StatusError(Code.INTERNAL, f"{type(failure).__name__}: {failure}"))
        yield from responses
        if error is not None:
            _abort(context, error)

    def _stream_channel(
        self, requests: Iterable[p4r.StreamMessageRequest], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        stream = ClientStream(context.peer())
        if not context.add_callback(stream.close):
            return
        reader = threading.Thread(
            target=self._serve_requests,
            args=(requests, stream),
            name="p4runtime-stream",
            daemon=True,
        )
        reader.start()
        send = burst_sender(context)
        while messages := stream.take():
            if send is None:
                yield from messages
            elif not send(messages):
                break
        if stream.error is not None:
            _abort(context, stream.error)

    def _serve_requests(
        self, requests: Iterable[p4r.StreamMessageRequest], stream: ClientStream
    ) -> None:
        """Handle what a client sends on its stream, until it breaks or is refused."""
        device: Device | None = None
        refusal: StatusError | None = None
        try:
            for request in requests:
                if stream.closed:
                    break
                if device is None and request.WhichOneof("update") == "arbitration":
                    device = self._device(request.arbitration.device_id)
                if device is None:
                    stream.notify(_before_arbitration(request))
                else:
                    device.serve_stream_message(stream, request)
        except StatusError as error:
            refusal = error
        except grpc.RpcError:
            pass  # the client is gone: how a request iterator tells
        except Exception as error:
            # The iterator raises a bare Exception on a cancelled call.
            if not stream.closed:
                log.exception("stream of %s failed", stream.peer)
                refusal = StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}")
        finally:
            if device is not None:
                device.disconnect(stream)
            stream.close(refusal)


def _before_arbitration(request: p4r.StreamMessageRequest) -> bytes:
    """The StreamError for whatever comes before the first MasterArbitrationUpdate."""
    response = p4r.StreamMessageResponse()
    response.error.canonical_code = Code.FAILED_PRECONDITION
    response.error.message = "the stream's first message must be a MasterArbitrationUpdate"
    kind = request.WhichOneof("update")
    if kind == "packet":
        response.error.packet_out.packet_out.CopyFrom(request.packet)
    elif kind == "digest_ack":
        response.error.digest_list_ack.digest_list_ack.CopyFrom(request.digest_ack)
    else:
        response.error.other.SetInParent()
    data: bytes = response.SerializeToString()
    return data
