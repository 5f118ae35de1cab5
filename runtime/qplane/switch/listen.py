"""Binding a gRPC server to an address: on loopback by default, and clear about what fails."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket

import grpc

log = logging.getLogger(__name__)

# Without this a second server could share the address of a first.
LISTEN_OPTIONS = (("grpc.so_reuseport", 0),)


class ListenError(OSError):
    """The server can't listen on the address it was given; says why."""


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT, the host on loopback when empty. Raises ListenError."""
    host, separator, port = address.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit()):
        raise ListenError(f"address {address!r} is not HOST:PORT")
    if int(port) > 65535:
        raise ListenError(f"address {address!r}: ports go to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_free(host: str, port: int) -> None:
    """Raise OSError when the address can't be bound: gRPC's own message does not say why."""
    family, kind, protocol, _, target = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(target)


def bind(
    server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None, what: str
) -> str:
    """Bind to HOST:PORT (port 0: any free one) or ``unix:PATH``; returns the address as bound.

    Warns when that is beyond loopback without TLS. Raises ListenError.
    """
    if address.startswith("unix:"):
        _add_port(server, address, address, credentials)
        return address
    host, port = split_address(address)
    try:
        _check_free(host, port)
    except OSError as error:
        code = error.errno or 0
        reason = os.strerror(code) if code > 0 else error.strerror or str(error)
        raise ListenError(f"can't listen on {address}: {reason}") from error
    if credentials is None and not is_loopback(host):
        log.warning(
            "%s listens on %s without TLS: anybody who reaches it controls the switch",
            what,
            address,
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{_add_port(server, f'{shown}:{port}', address, credentials)}"


def _add_port(
    server: grpc.Server, target: str, address: str, credentials: grpc.ServerCredentials | None
) -> int:
    try:
        if credentials is None:
            return int(server.add_insecure_port(target))
        return int(server.add_secure_port(target, credentials))
    except RuntimeError as error:
        raise ListenError(f"can't listen on {address}: {error}") from error
