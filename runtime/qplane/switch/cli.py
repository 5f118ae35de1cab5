"""``qplane-switch``: the embedded switch as a process."""

from __future__ import annotations

import gc
import importlib
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .options import Options, parse_options

if TYPE_CHECKING:
    from .server import TlsConfig

log = logging.getLogger(__name__)


class StartError(Exception):
    """The switch can't be started; the message is for the user."""


def _read_pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"can't read {path}: {error.strerror}") from error


def _load_tls(options: Options) -> TlsConfig | None:
    """Certificates and keys, looked through before gRPC, which would say nothing of them."""
    if not options.tls:
        return None
    import ssl

    from .server import TlsConfig

    assert options.certificate is not None and options.key is not None
    certificate, key = _read_pem(options.certificate), _read_pem(options.key)
    ca = None if options.ca is None else _read_pem(options.ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a passphrase: gRPC can't ask for one either.
        context.load_cert_chain(options.certificate, options.key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "no PEM certificate and key"
        raise StartError(
            f"--grpc-server-cert {options.certificate}, --grpc-server-key {options.key}: {reason}"
        ) from error
    if options.ca is not None:
        try:
            context.load_verify_locations(options.ca)
        except ssl.SSLError as error:
            reason = error.reason or "no PEM certificate"
            raise StartError(f"--grpc-server-cacert {options.ca}: {reason}") from error
    return TlsConfig(certificate, key, ca, options.client_auth)


def _no_passphrase() -> str:
    raise ValueError("the key needs a passphrase")


def run(options: Options) -> None:
    """Run a switch until SIGTERM or SIGINT. Raises StartError."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    gc.disable()  # until everything is loaded: there is no garbage in modules
    # Imported here: --help and a wrong command line answer at once, and a signal that comes while
    # they load ends the switch as cleanly as later.
    from .messages import load_messages

    load_messages()
    from .backends.base import BackendError
    from .listen import ListenError
    from .logs import set_up_logging
    from .runner import SwitchRunner

    try:
        set_up_logging(options)
    except OSError as error:
        raise StartError(f"can't log to {options.log_file}: {error.strerror}") from error
    tls = _load_tls(options)
    try:
        runner = SwitchRunner(options, tls)
        runner.start()
        # Now that it listens: the first program shall not wait for its compiler.
        importlib.import_module("qplane_cext.switch.compiler.program")
        # Table entries live long: looking for cycles among them again and again halves the rate
        # of table writes.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        gc.enable()
    except (BackendError, ListenError) as error:
        raise StartError(str(error)) from error
    try:
        while not stopping.wait(3600):
            pass
    finally:
        runner.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments)
    for warning in options.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    try:
        run(options)
    except StartError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
