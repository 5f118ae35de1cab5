"""How everything is shown on a terminal: one style of tables, and whole ones where it is piped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rich.box import ROUNDED
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

PIPED_WIDTH = 1000
"""Columns of a line that nobody's window limits: a file or a pipe gets nothing cut or folded."""


def table(title: str | None, *columns: str, text: Iterable[str] = ()) -> Table:
    """An empty table. The first column and those named in `text` are words, the others numbers."""
    made = Table(title=title, title_justify="left", title_style="", header_style="dim", box=ROUNDED)
    words = {columns[0], *text}
    for column in columns:
        made.add_column(
            column,
            justify="left" if column in words else "right",
            overflow="fold",
            min_width=max(map(len, column.split()), default=0),
        )
    return made


def console() -> Console:
    """Standard output, as wide as the terminal, or without a limit where it is none."""
    made = Console()
    return made if made.is_terminal else Console(width=PIPED_WIDTH)


def watch(values: Iterable[Any], report: Callable[[Any], RenderableType]) -> None:
    """Show `report` of each value in the place of the one before, or below it where piped."""
    out = console()
    try:
        if not out.is_terminal:
            for value in values:
                out.print(report(value))
            return
        with Live(console=out, auto_refresh=False) as live:
            for value in values:
                live.update(report(value), refresh=True)
    except KeyboardInterrupt:
        return
