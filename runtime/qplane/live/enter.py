"""Becomes a command inside a network's namespace; no return."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from qplane.live.api import OperationError
from qplane.live.guests import MARK

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def run(namespace: str, hosts: Path, mark: str, command: Sequence[str]) -> NoReturn:
    """Replace this process by `command`, in `namespace`, with `hosts` as its /etc/hosts.

    Raises OperationError where the command is not there or the namespace can't be entered.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int, what: str) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OperationError(f"{what}: {os.strerror(number)}")

    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise OperationError(f"the namespace can't be opened: {error.strerror}") from error
    call(libc.setns(descriptor, CLONE_NEWNET), "the namespace can't be entered")
    call(libc.unshare(CLONE_NEWNS), "there is no view of the files for the command alone")
    call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mounts can't be made private")
    call(
        libc.mount(os.fsencode(hosts), b"/etc/hosts", None, MS_BIND, None),
        "names can't be made to resolve",
    )
    try:
        os.execvpe(command[0], list(command), {**os.environ, MARK: mark})
    except OSError as error:
        raise OperationError(f"{command[0]}: {error.strerror}") from error
