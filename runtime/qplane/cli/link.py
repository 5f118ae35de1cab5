"""`qplane link`: entanglement between neighbours, ordered from a network's link layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from qplane.cli.examples import examples
from qplane.cli.net import AsJson, NetName

app = typer.Typer(
    help="Order entanglement between neighbours, and look at the link layer (docs/link-layer.md).",
    no_args_is_help=True,
)

Node = Annotated[str, typer.Argument(metavar="NODE", help="Who asks.")]
Remote = Annotated[str, typer.Argument(metavar="REMOTE", help="Its neighbour.")]
Simulated = Annotated[
    Path | None,
    typer.Option(
        "--simulate",
        metavar="NET.toml",
        help="Not on a running network: on this one, in virtual time. Each link without "
        "`herald` has a station of its own.",
    ),
]


@app.callback()
def _group() -> None:
    pass


@app.command(
    epilog=examples(
        "qplane link create alice bob --pairs 100 --min-fidelity 0.8 --keep",
        "qplane link create alice bob --pairs 2 --keep --hold 10s",
        "qplane link create alice bob --pairs 1000 --basis xyz --json > pairs.jsonl",
        "qplane link create alice bob --simulate net.toml",
    )
)
def create(
    node: Node,
    remote: Remote,
    pairs: Annotated[int, typer.Option(min=1, max=0xFFFF, help="How many.")] = 1,
    min_fidelity: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="The link's estimate must reach it; pairs come at the highest rate that does.",
        ),
    ] = 0.5,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Into memory (released at once without --hold); else they are measured."
        ),
    ] = False,
    hold: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help='Keep each pair so long at both ends, like "10s", or until qplane link release.',
        ),
    ] = None,
    basis: Annotated[
        Literal["z", "xz", "xyz"],
        typer.Option(help="Measured pairs: z, or at random one of xz, xyz, at each end."),
    ] = "xz",
    priority: Annotated[int, typer.Option(min=0, max=7, help="0 is the most urgent.")] = 0,
    purpose: Annotated[int, typer.Option(min=0, max=0xFFFF, help="Purpose id.")] = 1,
    max_time: Annotated[
        str | None, typer.Option(metavar="TIME", help='Give up after so long, like "2s".')
    ] = None,
    atomic: Annotated[
        bool, typer.Option("--atomic", help="All pairs in memory at the same time.")
    ] = False,
    at_end: Annotated[
        bool, typer.Option("--at-end", help="All pairs at the end, not each as it comes.")
    ] = False,
    net: NetName = None,
    simulate: Simulated = None,
    as_json: AsJson = False,
) -> None:
    """Order pairs with a neighbour. With --json, a line for each pair and one for the end."""
    from qplane.cli import link_commands

    link_commands.create(
        link_commands.Where(net, simulate, as_json),
        {
            "node": node,
            "remote": remote,
            "pairs": pairs,
            "min_fidelity": min_fidelity,
            "keep": keep,
            "basis": basis,
            "priority": priority,
            "purpose_id": purpose,
            "max_time_s": link_commands.seconds("--max-time", max_time),
            "hold_s": link_commands.seconds("--hold", hold),
            "atomic": atomic,
            "consecutive": not at_end,
        },
    )


@app.command(epilog=examples("qplane link release alice bob"))
def release(node: Node, remote: Remote, net: NetName = None, as_json: AsJson = False) -> None:
    """Let go of the pairs that are held on a link (create --keep --hold), at both ends."""
    from qplane.cli import link_commands

    link_commands.release(link_commands.Where(net, None, as_json), node, remote)


@app.command(
    epilog=examples(
        "qplane link test alice bob --pairs 1000", "qplane link test alice bob --min-fidelity 0.9"
    )
)
def test(
    node: Node,
    remote: Remote,
    pairs: Annotated[int, typer.Option(min=1, max=0xFFFF, help="Test pairs.")] = 300,
    min_fidelity: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Test the setting of the highest rate that meets it.",
        ),
    ] = 0.5,
    net: NetName = None,
    simulate: Simulated = None,
    as_json: AsJson = False,
) -> None:
    """Measure test pairs in random bases: fidelity and error rates as both ends estimate them."""
    from qplane.cli import link_commands

    where = link_commands.Where(net, simulate, as_json)
    link_commands.test(
        where, {"node": node, "remote": remote, "pairs": pairs, "min_fidelity": min_fidelity}
    )


@app.command(epilog=examples("qplane link status alice --json"))
def status(
    node: Annotated[str | None, typer.Argument(metavar="NODE", help="Only its links.")] = None,
    net: NetName = None,
    as_json: AsJson = False,
) -> None:
    """How the ends of links stand: queues, memory, pairs, estimates, errors by code."""
    from qplane.cli import link_commands

    link_commands.status(link_commands.Where(net, None, as_json), node)


@app.command(epilog=examples("qplane link top --interval 0.5"))
def top(
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds of the network.")] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="So many times; 0: until Ctrl-C.")] = 0,
    net: NetName = None,
    as_json: AsJson = False,
) -> None:
    """A live table of links: queue lengths, rate, fidelity estimate, errors by code."""
    from qplane.cli import link_commands

    link_commands.top(link_commands.Where(net, None, as_json), interval, count)


@app.command(
    epilog=examples(
        "qplane link sample alice bob --every 64", "qplane link sample alice bob --every 0"
    )
)
def sample(
    node: Node,
    remote: Remote,
    every: Annotated[int, typer.Option(min=0, help="A power of two; 0: none.")] = 1,
    net: NetName = None,
    as_json: AsJson = False,
) -> None:
    """Have a link's heralding station copy each so many-th pair to the controller.

    The copies are events of the controller; link status --json counts them.
    """
    from qplane.cli import link_commands

    link_commands.sample(link_commands.Where(net, None, as_json), node, remote, every)


@app.command(
    epilog=examples(
        "qplane link scheduler alice bob priority",
        "qplane link scheduler alice bob wfq --weights 0,10,1",
    )
)
def scheduler(
    node: Node,
    remote: Remote,
    name: Annotated[
        Literal["fcfs", "priority", "wfq"], typer.Argument(help="What picks the next request.")
    ],
    weights: Annotated[
        str, typer.Option(help="wfq: of priority 0, 1, ...; 0 goes before all others.")
    ] = "",
    net: NetName = None,
    as_json: AsJson = False,
) -> None:
    """Choose what a link serves next, at both its ends."""
    from qplane.cli import link_commands

    where = link_commands.Where(net, None, as_json)
    link_commands.scheduler(where, node, remote, name, weights)
