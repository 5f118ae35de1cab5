"""Commands that users run inside a network's namespaces, and what becomes of them at its end.

Such a command is no child of ours. It keeps its namespace, so it has to end with the network. What
belongs to us is told by two things together: the namespace it is in, and a mark in its environment
that no other network has. Both are written to a file, for a start after we were killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from qplane.net import Network

MARK = "QPLANE_NETWORK"
"""The environment variable."""

GRACE_S = 1.0


def new_mark(name: str) -> str:
    """For this run of network `name`."""
    return f"{name}-{os.urandom(8).hex()}"


def remember(folder: Path, mark: str, namespaces: Iterable[int]) -> None:
    """Write down which commands are ours: inodes of namespaces, and the mark."""
    text = json.dumps({"mark": mark, "namespaces": sorted(namespaces)})
    (folder / "guests.json").write_text(text)


def end_forgotten(folder: Path) -> list[int]:
    """End the commands of a network that was killed; their process ids."""
    try:
        state = json.loads((folder / "guests.json").read_text())
        return end(state["mark"], state["namespaces"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []  # it was killed before or while it wrote that: no command had been run


def end(mark: str, namespaces: Iterable[int]) -> list[int]:
    """SIGTERM, and SIGKILL to what is still there a second later; the process ids."""
    wanted = set(namespaces)
    ours = [pid for pid in _processes() if _belongs(pid, mark, wanted)]
    for pid in ours:
        _kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    left = ours
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [pid for pid in left if _belongs(pid, mark, wanted)]
    for pid in left:
        _kill(pid, signal.SIGKILL)
    return ours


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _belongs(pid: int, mark: str, namespaces: set[int]) -> bool:
    try:
        if Path(f"/proc/{pid}/ns/net").stat().st_ino not in namespaces:
            return False
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it has ended, or is somebody else's
    return f"{MARK}={mark}".encode() in environment


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def hosts_file(plan: Network) -> str:
    """/etc/hosts inside: hosts by name, and by that of their node where it has no other host."""
    lines = ["127.0.0.1 localhost"]
    for host in plan.hosts.values():
        names = [host.name]
        if len(plan.hosts_of(host.node)) == 1 and host.node not in plan.hosts:
            names.append(host.node)
        lines.append(f"{host.ip} {' '.join(names)}")
    return "".join(f"{line}\n" for line in lines)
