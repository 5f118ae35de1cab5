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

from .options import Options, parse_options

log = logging.getLogger(__name__)


class StartError(Exception):
    """The switch can't be started; the message is for the user."""


def _read_pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"can't read {path}: {error.strerror}") from error


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
    from .server import TlsConfig

    try:
        set_up_logging(options)
    except OSError as error:
        raise StartError(f"can't log to {options.log_file}: {error.strerror}") from error
    tls = None
    if options.tls:
        certificate, key = _read_pem(options.certificate), _read_pem(options.key)
        assert certificate is not None and key is not None
        tls = TlsConfig(certificate, key, _read_pem(options.ca), options.client_auth)
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
