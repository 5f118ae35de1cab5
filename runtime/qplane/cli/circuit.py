"""`qplane circuit`: the circuits of a running network."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import typer

from qplane.cli.acting import POSITIONAL, call
from qplane.cli.errors import fail
from qplane.cli.examples import examples
from qplane.cli.net import AsJson, NetName

app = typer.Typer(
    help="Add, look at and remove the quantum circuits of a running network.",
    no_args_is_help=True,
)

CircuitName = Annotated[str, typer.Argument(metavar="NAME", help="The circuit.")]


@app.command(
    epilog=examples(
        "qplane circuit add alice bob --fidelity 0.9 --rate 20",
        "qplane circuit add alice bob --name video --pairs 1000 --within 10s",
        "qplane circuit add alice bob --slots 2 --cutoff 10ms --no-start --json",
    )
)
def add(
    head: Annotated[str, typer.Argument(metavar="FROM", help="A node with a memory.")],
    tail: Annotated[str, typer.Argument(metavar="TO", help="Another one.")],
    name: Annotated[str | None, typer.Option(help="FROM-TO if left out.")] = None,
    fidelity: Annotated[
        str | None, typer.Option(metavar="F", help="Mean fidelity of its pairs, at least: 0.9.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="R", help='Pairs a second, at least: 20, or "20 Hz".')
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Instead of --rate: so many pairs --within a time.")
    ] = None,
    within: Annotated[str | None, typer.Option(metavar="TIME", help='Like "10 s".')] = None,
    slots: Annotated[
        int | None, typer.Option(help="Memory slots on each side of each link; else planned.")
    ] = None,
    cutoff: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of the repeaters; else planned.")
    ] = None,
    distil: Annotated[
        int | None, typer.Option(help="Rounds of distillation between the ends; else planned.")
    ] = None,
    distil_links: Annotated[
        int | None, typer.Option(help="Rounds of distillation on each link; else planned.")
    ] = None,
    request: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="What the ends do with a pair: keep, measure, or early (its frame follows).",
        ),
    ] = "keep",
    start: Annotated[bool, typer.Option(help="Generate pairs at once.")] = True,
    net: NetName = None,
    as_json: AsJson = False,
) -> None:
    """Set up a circuit, or say why not and what would be possible."""
    wanted: float | str | None = _number(rate)
    if (pairs is None) != (within is None):
        fail("--pairs and --within belong together: so many pairs within that time")
    if pairs is not None and within is not None:
        if rate is not None:
            fail("--rate and --pairs say the same thing; give one of them")
        from qplane.net.units import TIME, UnitError

        try:
            wanted = pairs / (TIME.parse(within) * 1e-12)
        except UnitError as error:
            fail(f'--within "{within}": {error}')
    shown = call(
        net,
        "circuit.add",
        POSITIONAL if pairs is None else {**POSITIONAL, "rate": "--pairs / --within"},
        head=head,
        tail=tail,
        name=name,
        fidelity=_number(fidelity),
        rate=wanted,
        slots=slots,
        cutoff=cutoff,
        distil=distil,
        distil_links=distil_links,
        request=request,
        start=start,
    )
    _print(shown, as_json)


def _number(text: str | None) -> float | str | None:
    """A bare number is one; everything else is left to the network to understand or refuse."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


@app.command("list", epilog=examples("qplane circuit list --json"))
def list_(net: NetName = None, as_json: AsJson = False) -> None:
    """All circuits: path, memory, what was promised."""
    circuits = call(net, "circuit.list")
    if as_json:
        print(json.dumps(circuits, indent=2, ensure_ascii=False))
        return
    from qplane.cli.tables import circuits_table
    from qplane.terminal import console

    console().print(circuits_table(circuits))


@app.command(epilog=examples("qplane circuit show alice-bob"))
def show(name: CircuitName, net: NetName = None, as_json: AsJson = False) -> None:
    """One circuit, hop by hop: labels, slots, what its nodes have counted."""
    _print(call(net, "circuit.show", name=name), as_json)


@app.command("rm", epilog=examples("qplane circuit rm alice-bob"))
def remove(name: CircuitName, net: NetName = None, as_json: AsJson = False) -> None:
    """Stop a circuit, wait until its memory is empty, delete it from all switches."""
    answer = call(net, "circuit.remove", name=name)
    print(json.dumps(answer) if as_json else f"{name} is gone")


def _print(shown: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    from qplane.cli.tables import circuit_report
    from qplane.terminal import console

    console().print(circuit_report(shown))
