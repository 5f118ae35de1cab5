"""How everything is shown on a terminal: one style of tables, and whole ones where it is piped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from typing import Any

from rich.box import ROUNDED
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 1000
"""Columns of a line that nobody's window limits: a file or a pipe gets nothing cut or folded."""


class FittingTable(Table):
    """Without its frame where that alone makes it fit; where no word of it would fit, row by row,
    each value behind its column's name. Nothing is cut, and no word broken, but one longer than a
    line."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for framed in (self.box, None):
            widths = self._widths(console, options, framed is not None)
            if widths is None:
                continue
            shown = copy(self)
            shown.box = framed
            shown.columns = [
                replace(column, width=width)
                for column, width in zip(self.columns, widths, strict=True)
            ]
            yield from Table.__rich_console__(shown, console, options)
            return
        yield from self._rows_as_lists()

    def _widths(
        self, console: Console, options: ConsoleOptions, is_framed: bool
    ) -> list[int] | None:
        """Of the columns: no word is broken, and as few lines as can be; None if that can't be."""
        around = len(self.columns) * (3 if is_framed else 2) + is_framed
        left = options.max_width - around
        needs = []
        for column in self.columns:
            cells = [
                Measurement.get(console, options.update_width(PIPED_WIDTH), cell)
                for cell in (column.header, *column.cells)
            ]
            needs.append((max(c.minimum for c in cells), max(c.maximum for c in cells)))
        widths = [least for least, _ in needs]
        left -= sum(widths)
        if left < 0:
            return None
        for index in sorted(range(len(needs)), key=lambda i: needs[i][1] - needs[i][0]):
            more = min(left, needs[index][1] - needs[index][0])
            widths[index] += more
            left -= more
        return widths

    def _rows_as_lists(self) -> RenderResult:
        if self.title:
            yield Text.from_markup(str(self.title))
        cells = [list(column.cells) for column in self.columns]
        for row in zip(*cells, strict=True):
            values = Table.grid(padding=(0, 1))
            values.add_column(style="dim", overflow="fold")
            values.add_column(overflow="fold")
            for column, cell in zip(self.columns, row, strict=True):
                values.add_row(column.header, cell)
            yield values
            yield ""


def table(title: str | None, *columns: str, text: Iterable[str] = ()) -> Table:
    """An empty table. The first column and those named in `text` are words, the others numbers."""
    made = FittingTable(
        title=title, title_justify="left", title_style="", header_style="dim", box=ROUNDED
    )
    words = {columns[0], *text}
    for column in columns:
        made.add_column(
            column,
            justify="left" if column in words else "right",
            overflow="fold",
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
