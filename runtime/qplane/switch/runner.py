"""Puts a switch process together from its options, and takes it apart again."""

from __future__ import annotations

import logging

from qplane_cext.switch.core import Pipeline, PipelineError

from .backends.af_packet import AfPacketBackend
from .backends.base import Backend, BackendError
from .dataplane import Dataplane
from .listen import ListenError
from .options import Options
from .server import P4RuntimeServer, TlsConfig
from .thrift_port import ThriftPort

log = logging.getLogger(__name__)


def _backend(options: Options) -> Backend:
    if options.packet_in is not None:
        from .backends.nanomsg import NanomsgBackend

        return NanomsgBackend(options.packet_in)
    if options.use_files is not None:
        from .backends.pcap_files import PcapFilesBackend

        return PcapFilesBackend(options.ports, options.use_files)
    if options.dp_address is not None:
        from .backends.grpc_stream import GrpcStreamBackend

        return GrpcStreamBackend(options.dp_address, options.device_id)
    return AfPacketBackend(options.ports)


class SwitchRunner:
    """One switch in this process: ports, packet path and P4Runtime server."""

    def __init__(self, options: Options, tls: TlsConfig | None) -> None:
        self._options = options
        self._dataplane = Dataplane(
            options.device_id,
            _backend(options),
            cpu_port=options.cpu_port,
            drop_port=options.drop_port,
            priority_queues=options.priority_queues,
            dump_bytes=options.dump_packet_data,
        )
        if options.queue_rate is not None:
            self._dataplane.limit_queues(options.queue_rate, options.queue_depth)
        port = options.thrift_port
        self._thrift_port = None if port is None else ThriftPort(port)
        self._server = P4RuntimeServer([self._dataplane.device], options.grpc_address, tls=tls)

    def start(self) -> None:
        """Load the program, listen, open the ports. Raises BackendError or ListenError."""
        options = self._options
        if options.json is not None:
            try:
                self._dataplane.core.commit(Pipeline(options.json.read_bytes()))
            except OSError as error:
                raise BackendError(f"can't read {options.json}: {error.strerror}") from error
            except PipelineError as error:
                raise BackendError(f"{options.json}: {error}") from error
        if options.log_level == "trace" and (options.log_console or options.log_file):
            self._dataplane.trace(as_json=options.log_json)
        if options.pcap is not None:
            self._dataplane.capture(options.ports, options.pcap)
        # The server first: an address in use is found before the ports are touched.
        try:
            address = self._server.start()
        except ListenError as error:
            raise ListenError(f"--grpc-server-addr: {error}") from error
        try:
            for port, name in options.ports:
                print(f"Adding interface {name} as port {port}", flush=True)
            self._dataplane.start()
        except BackendError:
            self._server.stop()
            raise
        if self._thrift_port is not None:
            self._thrift_port.start()
        print(f"Server listening on {address}", flush=True)

    def stop(self) -> None:
        """End everything, within a second."""
        if self._thrift_port is not None:
            self._thrift_port.stop()
        self._server.stop()
        self._dataplane.stop()
