"""Runs a command inside a network namespace, and sees to it that it ends when its parent does.

    python -I -S launch.py /proc/PID/fd/N COMMAND [ARGUMENT ...]

A program of its own because what comes between fork and exec must not be done in a process with
threads. It imports nothing but the standard library.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replaces itself by the command."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    path, *arguments = sys.argv[1:]
    if os.getppid() != parent or f"/proc/{parent}/" not in path:
        sys.exit(1)  # the parent died before it could take us with it
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    signal.signal(
        signal.SIGPIPE, signal.SIG_DFL
    )  # Python ignores it; the command may not expect so
    try:
        os.execvp(arguments[0], arguments)
    except OSError as error:
        sys.exit(f"{arguments[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
