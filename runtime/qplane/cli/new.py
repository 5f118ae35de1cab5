"""`qplane new`: network files to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qplane.cli.errors import fail
from qplane.cli.examples import examples

app = typer.Typer(help="Write a network file to begin with.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command(epilog=examples("qplane new chain --nodes 9 --out chain9.toml"))
def chain(
    nodes: Annotated[int, typer.Option(min=2, help="Nodes, both ends included.")] = 3,
    length: Annotated[str, typer.Option(help="Length of each link, with its unit.")] = "25 km",
    slots: Annotated[
        int, typer.Option(min=1, max=32, help="Memory slots on each side of a link.")
    ] = 1,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to; to standard output if not given.")
    ] = None,
) -> None:
    """A chain of repeaters with a circuit from end to end."""
    from qplane.net import NetworkFileError, loads, units
    from qplane.net import chain as chains

    try:
        units.LENGTH.parse(length)
    except units.UnitError as error:
        fail(f'--length "{length}": {error}')
    try:
        loads(chains.chain(min(nodes, 3), length=length, slots=slots))
    except NetworkFileError as error:
        fail(f'--length "{length}": such a chain would not work: {error.field}: {error.problem}')
    text = chains.chain(nodes, length=length, slots=slots)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"--out {out}: can't be written: {error.strerror}")
