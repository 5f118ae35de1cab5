"""Where a running network can be found: one folder for each name, held by a lock.

``$XDG_RUNTIME_DIR/qplane/NAME/``, or ``qplane-UID/NAME/`` below the folder for temporary files;
mode 0700. The process that runs the network holds an flock on ``lock`` in it. The kernel drops that
lock when the process ends, however it ends, so a folder whose lock is free is a dead network's.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qplane.live.api import NotRunningError, OperationError

MAX_SOCKET_PATH = 107
"""Bytes of a Unix socket's address on Linux, without the final zero."""


def base() -> Path:
    """The folder of all running networks of this user; made if need be. Raises OperationError."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        folder = Path(runtime) / "qplane"
    else:
        folder = Path(tempfile.gettempdir()) / f"qplane-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise OperationError(f"{folder}: can't be used: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OperationError(
            f"{folder}: must be a folder of this user that nobody else can enter (mode 0700)"
        )
    return folder


def socket_path(folder: Path) -> Path:
    """Where the network of this folder serves its operations."""
    return folder / "api.sock"


def check_socket_path(path: Path) -> None:
    """Raises OperationError where the system can't have a socket of that name."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise OperationError(
            f"{path}: longer than the {MAX_SOCKET_PATH} bytes that a Unix socket's path may have; "
            "give the network a shorter name or set XDG_RUNTIME_DIR to a shorter folder"
        )


@contextmanager
def claim(name: str) -> Iterator[Path]:
    """The folder of network `name`, ours until the end of the block; what a dead one left stays.

    Raises OperationError where a network of this name runs already.
    """
    folder = base() / name
    check_socket_path(socket_path(folder))
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperationError(
                f"network {name} runs already; end it with: qplane net down {name}"
            ) from None
        yield folder
    finally:
        os.close(lock)


def clear(folder: Path) -> None:
    """Delete what a network put there. The lock file stays: another start may be waiting for it."""
    for path in folder.iterdir():
        if path.name != "lock":
            path.unlink()


def is_running(folder: Path) -> bool:
    """Whether a process holds the folder's lock."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def running() -> list[Path]:
    """The folders of all networks that run, by name."""
    return [folder for folder in sorted(base().iterdir()) if is_running(folder)]


def find(name: str | None) -> Path:
    """The folder of network `name`, or of the only one. Raises NotRunningError."""
    folders = {folder.name: folder for folder in running()}
    if name is not None:
        if name not in folders:
            others = f"; running: {', '.join(folders)}" if folders else ""
            raise NotRunningError(f"no network named {name} runs{others}")
        return folders[name]
    if not folders:
        raise NotRunningError("no network runs; start one with: qplane net up NET.toml")
    if len(folders) > 1:
        raise NotRunningError(
            f"several networks run: say which one with --net NAME: {', '.join(folders)}"
        )
    return next(iter(folders.values()))
