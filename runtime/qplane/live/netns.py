"""Network namespaces without names: they live as long as a process has them open.

So nothing has to be cleaned up. When the process that runs a network ends, however it ends, and its
children with it, the kernel takes the namespaces away and every interface in them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from qplane.live.api import OperationError

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN = 12, 13, 21
NEEDED = (CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN)

_libc = ctypes.CDLL(None, use_errno=True)


def permitted() -> bool:
    """Whether this process may make namespaces, interfaces and packet sockets."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return all(effective >> capability & 1 for capability in NEEDED)
    return False


class Namespace:
    """A network namespace of ours. `fd` keeps it alive; it is not inherited by children."""

    def __init__(self) -> None:
        """Raises OSError where that is not allowed."""
        self.fd = _in_thread(_new)

    @property
    def path(self) -> str:
        """How any process of this user can enter it while we live."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @property
    def inode(self) -> int:
        """The kernel's number for it, as /proc/PID/ns/net shows it."""
        return os.fstat(self.fd).st_ino

    def run(self, function: Callable[[], T]) -> T:
        """Call `function` inside; what it opens stays there. Raises what it raises."""

        def inside() -> T:
            _enter(self.fd)
            return function()

        return _in_thread(inside)

    def close(self) -> None:
        os.close(self.fd)


def _call(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _enter(fd: int) -> None:
    _call(_libc.setns(fd, CLONE_NEWNET), "a network namespace can't be entered")


def _new() -> int:
    _call(_libc.unshare(CLONE_NEWNET), "a network namespace can't be made")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _in_thread(function: Callable[[], T]) -> T:
    """Namespaces are a thread's own: one that ends afterwards changes nobody else's."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="netns")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


LAUNCHER = Path(__file__).with_name("launch.py")


def command(namespace: Namespace, arguments: Sequence[str]) -> list[str]:
    """A command line that runs `arguments` inside, and that ends when its parent does."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), namespace.path, *arguments]


def configure(namespace: Namespace, lines: Iterable[str]) -> None:
    """Commands of ip(8) inside, all in one go. Raises OperationError with ip's own words."""
    ip = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if ip is None:
        raise OperationError("there is no ip command: install the package iproute2")
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        command(namespace, [ip, "-batch", "-"]),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OperationError(f"ip can't set up an interface: {' '.join(done.stderr.split())}")
