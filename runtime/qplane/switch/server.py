"""The P4Runtime gRPC server: where it listens, with which certificates, for which devices."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from .device import Device
from .errors import Code, StatusError
from .listen import LISTEN_OPTIONS, ListenError, bind
from .service import P4RuntimeService

# The specification's guidelines ask for a generous limit: a device config can be large.
MAX_RECEIVE_BYTES = 128 << 20
# A StreamChannel holds a worker as long as it is open.
MAX_WORKERS = 8192
# A client that is gone without a word (no FIN, no RST) is noticed after at most twice this, and
# what it was primary of is free again.
KEEPALIVE_SECONDS = 5.0
TICK_SECONDS = 0.02  # how often digest and idle time-outs are looked at


@dataclass(frozen=True)
class TlsConfig:
    """PEM bytes for TLS; ``client_auth`` demands a client certificate signed by ``ca``."""

    certificate: bytes
    key: bytes
    ca: bytes | None = None
    client_auth: bool = False

    def credentials(self) -> grpc.ServerCredentials:
        """The credentials for gRPC. Raises ListenError when they are incomplete."""
        if self.client_auth and self.ca is None:
            raise ListenError("client certificates are demanded but no CA certificate is given")
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.ca,
            require_client_auth=self.client_auth,
        )


class P4RuntimeServer:
    """Serves any number of devices on one address.

    ``address`` is HOST:PORT, port 0 for any free one, or ``unix:PATH``; it is on loopback unless
    another host is given.
    """

    def __init__(
        self,
        devices: Iterable[Device] = (),
        address: str = "127.0.0.1:0",
        *,
        tls: TlsConfig | None = None,
        keepalive_s: float = KEEPALIVE_SECONDS,
    ) -> None:
        self._keepalive_ms = round(keepalive_s * 1000)
        self._address = address
        self._tls = tls
        self._service = P4RuntimeService()
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._stopping = threading.Event()
        self._ticker: threading.Thread | None = None
        for device in devices:
            self.add_device(device)

    def add_device(self, device: Device) -> None:
        """Offer a device. Raises ValueError when its id is taken."""
        self._service.add_device(device)

    def remove_device(self, device_id: int) -> None:
        """Take a device away; its clients' streams end with NOT_FOUND. KeyError: not there."""
        self._service.remove_device(device_id)

    def start(self) -> str:
        """Listen; returns "host:port" as bound. Raises ListenError with a clear message."""
        if self._server is not None:
            raise ListenError("the server has been started already")
        self._pool = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="p4runtime")
        server = grpc.server(
            self._pool,
            options=[
                *LISTEN_OPTIONS,
                ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", 1 << 20),
                ("grpc.keepalive_time_ms", self._keepalive_ms),
                ("grpc.keepalive_timeout_ms", self._keepalive_ms),
                (
                    "grpc.http2.ping_timeout_ms",
                    self._keepalive_ms,
                ),  # else: a minute
                # Clients may ping as often.
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
            ],
        )
        server.add_generic_rpc_handlers((self._service.handler(),))
        credentials = self._tls.credentials() if self._tls is not None else None
        bound = bind(server, self._address, credentials, "P4Runtime")
        server.start()
        self._server = server
        self._stopping.clear()
        self._ticker = threading.Thread(target=self._tick, name="p4runtime-ticker", daemon=True)
        self._ticker.start()
        return bound

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            for device in self._service.devices():
                if device.is_timed:  # of a thousand switches, few are
                    device.tick()

    def stop(self) -> None:
        """End all streams and calls, within a second; the address is free at once."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping.set()
        for device in self._service.devices():
            device.close_streams(StatusError(Code.UNAVAILABLE, "the server is stopping"))
        server.stop(grace=0.3).wait(1.0)
        if self._ticker is not None:
            self._ticker.join(1.0)
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def wait(self, timeout: float | None = None) -> None:
        """Block until :meth:`stop` was called, or for ``timeout`` seconds."""
        self._stopping.wait(timeout)

    def __enter__(self) -> P4RuntimeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
