"""How a command ends when the user has to change something: one message, a status, no traceback."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

WRONG_INPUT = 2
"""Exit status for input that can't be used: files, options, places to write to."""

FAILED = 1
"""Exit status for everything else that went wrong."""

INTERRUPTED = 130
"""Exit status after Ctrl-C where something was left undone: that of shells for it."""


def fail(message: str, status: int = WRONG_INPUT) -> NoReturn:
    """Print `message` to stderr and end the command with `status`."""
    print(f"qplane: {message}", file=sys.stderr)
    raise typer.Exit(status)
