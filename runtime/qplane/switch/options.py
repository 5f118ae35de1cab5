"""simple_switch_grpc's command line: general options, ``--``, target options."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from .backends.base import BackendError, Ports

DEFAULT_GRPC_ADDRESS = "127.0.0.1:9559"
JSON_VERSION = "2.24"  # newest BMv2 JSON version understood; all of the same major one are
LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "off")


@dataclass(frozen=True)
class Options:
    """What was asked for; ``warnings`` are to be printed."""

    json: Path | None
    ports: Ports
    packet_in: str | None
    use_files: float | None
    pcap: Path | None
    device_id: int
    log_console: bool
    log_file: Path | None
    log_level: str
    log_file_max_size: int
    log_file_max_files: int
    log_json: bool
    dump_packet_data: int
    grpc_address: str
    tls: bool
    ca: Path | None
    certificate: Path | None
    key: Path | None
    client_auth: bool
    dp_address: str | None
    cpu_port: int | None
    drop_port: int
    priority_queues: int
    queue_depth: int | None
    queue_rate: int | None
    thrift_port: int | None
    warnings: tuple[str, ...]


def _port_number(text: str) -> int:
    value = int(text, 0)
    if not 0 <= value < 1 << 9:
        raise argparse.ArgumentTypeError(f"{text} is no 9-bit port number")
    return value


def _tcp_port(text: str) -> int:
    value = int(text)
    if not 0 < value < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text} is no TCP port")
    return value


def _positive(text: str) -> int:
    value = int(text, 0)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _not_negative(text: str) -> int:
    value = int(text, 0)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _device_id(text: str) -> int:
    value = int(text, 0)
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} is no 64-bit device id")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds")
    return max(value, 0.0)


# argparse names a type by its function in "invalid ... value".
for _parse, _name in (
    (_port_number, "port number"), (_tcp_port, "TCP port"), (_positive, "number"),
    (_not_negative, "number"), (_device_id, "device id"), (_seconds, "number of seconds"),
):  # fmt: skip
    _parse.__name__ = _name

EXAMPLES = """\
examples:
  qplane-switch -i 1@veth0 -i 2@veth2 router.json -- --cpu-port 510
  qplane-switch --no-p4 --packet-in ipc:///tmp/packets.ipc -- --grpc-server-addr 127.0.0.1:9559
  qplane-switch -i 0@a -i 1@b --use-files 0 --log-console router.json
"""


def _general_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qplane-switch",
        usage="qplane-switch [options] <JSON file> [-- target options]",
        description="A v1model P4 switch with a P4Runtime server, with the command line of "
        "simple_switch_grpc. Target options come after '--'; see '-- --help'.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("json", nargs="?", type=Path, help="the program: BMv2 JSON as p4c writes it")
    add("--no-p4", action="store_true", help="start without a program; one is pushed later")
    add(
        "-i", "--interface", action="append", default=[], metavar="PORT@IFACE",
        help="attach a network interface as a port; may be repeated",
    )  # fmt: skip
    add(
        "--packet-in", metavar="ADDR",
        help="exchange packets over this nanomsg socket (ipc://... or tcp://...), as PTF does; "
        "-i is ignored",
    )  # fmt: skip
    add(
        "--use-files", type=_seconds, metavar="SEC",
        help="read packets from IFACE_in.pcap after SEC seconds, write to IFACE_out.pcap",
    )  # fmt: skip
    add(
        "--pcap", nargs="?", const=".", metavar="DIR",
        help="record the interfaces' packets in DIR/IFACE_in.pcap and IFACE_out.pcap",
    )  # fmt: skip
    add("--device-id", type=_device_id, default=0, metavar="N",
        help="P4Runtime device id (default 0)")  # fmt: skip
    add("--log-console", action="store_true", help="log to stdout")
    add("--log-file", type=Path, metavar="FILE", help="log to a file")
    add(
        "-L", "--log-level", choices=LOG_LEVELS, default="trace",
        help="default 'trace': one line a parser state, table and action",
    )  # fmt: skip
    add("--log-json", action="store_true", help="log the packet trace as JSON lines")
    add("--log-flush", action="store_true", help="accepted: the log is always flushed")
    add("--log-file-max-size", type=_positive, default=5 << 20, metavar="BYTES",
        help="rotate the log file at this size")  # fmt: skip
    add("--log-file-max-files", type=_not_negative, default=3, metavar="N",
        help="rotated files kept")  # fmt: skip
    add("--dump-packet-data", type=_not_negative, default=0, metavar="N",
        help="log N bytes of each packet received and sent")  # fmt: skip
    add("--max-port-count", type=_not_negative, default=512, metavar="N",
        help="most interfaces allowed")  # fmt: skip
    add("-v", "--version", action="version", version=f"qplane-switch {__version__}")
    add("--json-version", action="version", version=JSON_VERSION,
        help="print the newest BMv2 JSON version understood")  # fmt: skip
    add("--thrift-port", type=_tcp_port, metavar="PORT",
        help="listens for scripts that wait for it; no Thrift server is there")  # fmt: skip
    for name in ("--notifications-addr", "--nanolog", "--debugger-addr"):
        add(name, metavar="X", help="accepted with a warning: not offered")
    add("--debugger", action="store_true", help="accepted with a warning: not offered")
    add("--restore-state", metavar="FILE", help="refused: not offered")
    return parser


def _target_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qplane-switch",
        usage="qplane-switch [options] <JSON file> -- [target options]",
        description="Target options of qplane-switch.",
    )
    add = parser.add_argument
    add("--grpc-server-addr", default=DEFAULT_GRPC_ADDRESS, metavar="HOST:PORT",
        help=f"where P4Runtime listens (default {DEFAULT_GRPC_ADDRESS})")  # fmt: skip
    add("--grpc-server-ssl", action="store_true", help="use TLS")
    add("--grpc-server-cacert", type=Path, metavar="PEM", help="CA that signs clients")
    add("--grpc-server-cert", type=Path, metavar="PEM", help="the server's certificate")
    add("--grpc-server-key", type=Path, metavar="PEM", help="the server's key")
    add("--grpc-server-with-client-auth", action="store_true",
        help="demand a client certificate signed by the CA")  # fmt: skip
    add("--dp-grpc-server-addr", metavar="HOST:PORT",
        help="exchange packets over gRPC (p4.bm.DataplaneInterface)")  # fmt: skip
    add("--cpu-port", type=_port_number, metavar="PORT",
        help="the port of packet-in and packet-out; without it there is none")  # fmt: skip
    add("--drop-port", type=_port_number, default=511, metavar="PORT", help="default 511")
    add("--priority-queues", type=_positive, default=1, metavar="N", help="queues a port")
    add("--queue-depth", type=_positive, metavar="N",
        help="packets an egress queue holds, default 64 (BMv2 sets it over Thrift)")  # fmt: skip
    add("--queue-rate", type=_positive, metavar="PPS",
        help="packets a second that an egress queue sends; else queues are empty")  # fmt: skip
    for name in ("--max-mc-groups", "--max-l1-entries", "--max-l2-entries"):
        add(name, type=_positive, metavar="N", help="accepted: there is no such limit")
    add("--enable-swap", action="store_true", help="accepted: programs can always be replaced")
    add("--disable-swap", action="store_true", help="accepted with a warning: not offered")
    add("--load-modules", metavar="FILES", help="refused: C++ modules can't be loaded")
    return parser


def _with_pcap_value(arguments: Sequence[str]) -> list[str]:
    """``--pcap`` may stand without a value right before the JSON file."""
    fixed = list(arguments)
    for place, argument in enumerate(fixed):
        if argument == "--pcap":
            following = fixed[place + 1] if place + 1 < len(fixed) else "-"
            if following.startswith("-") or following.endswith(".json"):
                fixed[place] = "--pcap=."
    return fixed


def parse_options(arguments: Sequence[str]) -> Options:
    """Parse a command line; prints one message and exits with 2 when it is wrong."""
    arguments = list(arguments)
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser, target_parser = _general_parser(), _target_parser()
    general, unknown = parser.parse_known_args(_with_pcap_value(arguments[:split]))
    target, ignored = target_parser.parse_known_args(arguments[split + 1 :])
    if any(argument.startswith("-") for argument in unknown):
        parser.error(f"unrecognized arguments: {' '.join(unknown)} (target options follow '--')")
    # What simple_switch_grpc ignores without a word must not stop a script that starts it.
    warnings = [f"{argument} is ignored: one JSON file is enough" for argument in unknown]
    if ignored:
        warnings.append(f"unknown target options are ignored: {' '.join(ignored)}")
    if general.restore_state is not None:
        parser.error("--restore-state is not offered: state comes from the controller")
    if target.load_modules is not None:
        target_parser.error("--load-modules: C++ extern modules can't be loaded")
    if general.json is None and not general.no_p4:
        parser.error("a JSON file is needed (or --no-p4)")
    if general.json is not None and general.no_p4:
        warnings.append(f"{general.json} is ignored because of --no-p4")
    if general.log_console and general.log_file is not None:
        parser.error("--log-console and --log-file exclude each other")
    if general.use_files is not None and general.packet_in is not None:
        parser.error("--use-files and --packet-in exclude each other")
    if general.pcap is not None and not Path(general.pcap).is_dir():
        parser.error(f"--pcap: no folder {general.pcap}")
    try:
        ports = Ports.parse(general.interface)
    except BackendError as error:
        parser.error(str(error))
    if general.use_files is not None and general.pcap is not None:
        for _, name in ports:
            if Path(general.pcap, name).resolve() == Path(name).resolve():
                parser.error(
                    f"--pcap {general.pcap} would write over {name}_in.pcap of --use-files"
                )
    if len(ports) > general.max_port_count:
        parser.error(f"{len(ports)} interfaces, --max-port-count is {general.max_port_count}")
    for option, what in (
        ("notifications_addr", "notifications are sent over P4Runtime only"),
        ("nanolog", "there is no nanomsg event log; use --log-level trace"),
        ("debugger_addr", "there is no debugger; use --log-level trace"),
        ("debugger", "there is no debugger; use --log-level trace"),
    ):  # fmt: skip
        if getattr(general, option):
            warnings.append(f"--{option.replace('_', '-')} is ignored: {what}")
    if general.thrift_port is not None:
        warnings.append(
            f"--thrift-port: port {general.thrift_port} listens, but there is no Thrift server, so "
            "simple_switch_CLI can't connect; use P4Runtime"
        )
    if target.disable_swap:
        warnings.append("--disable-swap is ignored: a pushed program always replaces the old one")
    if target.grpc_server_ssl:
        for name, path in (("cert", target.grpc_server_cert), ("key", target.grpc_server_key)):
            if path is None:
                target_parser.error(f"--grpc-server-ssl needs --grpc-server-{name}")
        if target.grpc_server_with_client_auth and target.grpc_server_cacert is None:
            target_parser.error("--grpc-server-with-client-auth needs --grpc-server-cacert")
    elif target.grpc_server_cert or target.grpc_server_key or target.grpc_server_cacert:
        warnings.append("certificates are ignored without --grpc-server-ssl")
    elif target.grpc_server_with_client_auth:
        warnings.append("--grpc-server-with-client-auth is ignored without --grpc-server-ssl")
    if target.cpu_port is not None and target.cpu_port == target.drop_port:
        target_parser.error(f"--cpu-port and --drop-port are both {target.cpu_port}")
    if target.cpu_port == 0:
        target_parser.error("--cpu-port can't be 0")
    for port, name in ports:
        if port == target.cpu_port:
            target_parser.error(f"--cpu-port {port} is the port of interface {name!r} too")
    return Options(
        json=None if general.no_p4 else general.json,
        ports=ports,
        packet_in=general.packet_in,
        use_files=general.use_files,
        pcap=None if general.pcap is None else Path(general.pcap),
        device_id=general.device_id,
        log_console=general.log_console,
        log_file=general.log_file,
        log_level=general.log_level,
        log_file_max_size=general.log_file_max_size,
        log_file_max_files=general.log_file_max_files,
        log_json=general.log_json,
        dump_packet_data=general.dump_packet_data,
        grpc_address=target.grpc_server_addr,
        tls=target.grpc_server_ssl,
        ca=target.grpc_server_cacert,
        certificate=target.grpc_server_cert,
        key=target.grpc_server_key,
        client_auth=target.grpc_server_with_client_auth,
        dp_address=target.dp_grpc_server_addr,
        cpu_port=target.cpu_port,
        drop_port=target.drop_port,
        priority_queues=target.priority_queues,
        queue_depth=target.queue_depth,
        queue_rate=target.queue_rate,
        thrift_port=general.thrift_port,
        warnings=tuple(warnings),
    )
