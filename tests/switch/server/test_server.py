"""The server as a whole: addresses, stopping, many devices, clients that misbehave."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import grpc
import pytest
from finsy.proto import p4i, p4r

from qplane.switch.device import Device
from qplane.switch.errors import Code
from qplane.switch.listen import ListenError
from qplane.switch.packet_io import ControllerHeader
from qplane.switch.server import P4RuntimeServer
from qplane.switch.stream import MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES
from qplane_cext.switch.core import SwitchCore

from .client import Client, failure
from .conftest import Bench


def make_device(device_id: int) -> Device:
    return Device(device_id, SwitchCore(), inject=lambda port, data: None)


def test_capabilities_tell_the_version_and_filter_by_device(bench: Bench) -> None:
    stub = bench.client().stub
    assert stub.Capabilities(p4r.CapabilitiesRequest()).p4runtime_api_version == "1.5.0"
    assert stub.Capabilities(p4r.CapabilitiesRequest(device_id=1)).p4runtime_api_version == "1.5.0"
    with pytest.raises(grpc.RpcError) as caught:
        stub.Capabilities(p4r.CapabilitiesRequest(device_id=99))
    assert failure(caught.value).code == Code.NOT_FOUND


def test_a_second_server_on_the_address_is_refused_with_a_clear_message(bench: Bench) -> None:
    with pytest.raises(ListenError, match=rf"can't listen on {bench.address}: .*in use"):
        P4RuntimeServer([], bench.address).start()


@pytest.mark.parametrize("address", ["nonsense", "host:port", "1.2.3.4:99999"])
def test_a_malformed_address_is_refused_by_name(address: str) -> None:
    with pytest.raises(ListenError, match=address):
        P4RuntimeServer([], address).start()


def test_the_address_is_free_at_once_after_stop() -> None:
    server = P4RuntimeServer([make_device(1)])
    address = server.start()
    client = Client(address)
    assert client.arbitrate(1) == (Code.OK, 1)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 1.0
    end = client.end_of_stream()
    assert end is not None and end.code == Code.UNAVAILABLE
    again = P4RuntimeServer([make_device(1)], address)
    assert again.start() == address
    again.stop()
    client.close()


def test_a_unix_socket_works(tmp_path: Path) -> None:
    server = P4RuntimeServer([make_device(1)], f"unix:{tmp_path}/p4rt.sock")
    client = Client(server.start())
    assert client.arbitrate(1) == (Code.OK, 1)
    client.close()
    server.stop()


def test_listening_beyond_loopback_without_tls_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "qplane.switch.listen"):
        server = P4RuntimeServer([], "0.0.0.0:0")
        server.start()
        server.stop()
        assert "without TLS" in caplog.text
        caplog.clear()
        server = P4RuntimeServer([], "127.0.0.1:0")
        server.start()
        server.stop()
        assert caplog.text == ""


def test_a_device_id_is_taken_once() -> None:
    server = P4RuntimeServer([make_device(1)])
    with pytest.raises(ValueError, match="device id 1 is taken"):
        server.add_device(make_device(1))


def test_one_server_hosts_a_thousand_devices() -> None:
    count = 1000
    devices = [make_device(number) for number in range(1, count + 1)]
    server = P4RuntimeServer(devices)
    address = server.start()
    client = Client(address)
    streams = []
    for device in devices:
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = device.device_id
        request.arbitration.election_id.low = 1
        done = threading.Event()
        streams.append((client.stub.StreamChannel(_keep_open(request, done)), done))
    for device, (call, _) in zip(devices, streams, strict=True):
        update = next(call).arbitration
        assert (update.device_id, update.status.code) == (device.device_id, Code.OK)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 2.0
    for _, done in streams:
        done.set()
    client.close()


def _keep_open(request: p4r.StreamMessageRequest, done: threading.Event):  # type: ignore[no-untyped-def]
    yield request
    done.wait()


def test_a_client_that_stops_reading_stalls_nobody_and_costs_bounded_memory(bench: Bench) -> None:
    header = ControllerHeader(
        [p4i.ControllerPacketMetadata.Metadata(id=1, name="port", bitwidth=16)], "packet_in"
    )
    requests = p4r.StreamMessageRequest()
    requests.arbitration.device_id = 1
    requests.arbitration.election_id.low = 1
    done = threading.Event()
    stuck = bench.client().stub.StreamChannel(_keep_open(requests, done))
    assert next(stuck).arbitration.status.code == Code.OK  # and never reads again
    other = bench.client(role="other")
    assert other.arbitrate(1) == (Code.OK, 1)
    bench.device._routes = bench.device._routes._replace(packet_in=header)
    packet = bytes(2000)
    received = 0
    sends = 2 * MAX_QUEUED_MESSAGES
    begin = time.monotonic()
    for number in range(sends):
        bench.device.deliver_to_cpu(packet)
        if number % 100 == 0:
            while received <= number:
                other.next_of("packet")
                received += 1
    assert time.monotonic() - begin < 60
    assert received == (sends - 1) // 100 * 100 + 1  # the healthy client got every one so far
    (queue,) = (s for s, scope in bench.device._routes.primaries if s.dropped)
    assert queue.dropped > 0
    assert queue._bytes <= MAX_QUEUED_BYTES
    assert len(queue._messages) <= MAX_QUEUED_MESSAGES
    done.set()
    stuck.cancel()


def test_a_large_request_is_accepted(bench: Bench) -> None:
    client = bench.primary()
    config = p4r.ForwardingPipelineConfig(p4_device_config=bytes(8 << 20))
    config.p4info.SetInParent()
    failed = client.push(config)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT
