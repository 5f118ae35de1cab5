"""`qplane net`: networks in real time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qplane.cli.errors import FAILED, fail
from qplane.cli.examples import examples

app = typer.Typer(
    help="Run a network in real time, on embedded switches or on BMv2, and act on it.",
    no_args_is_help=True,
)

NetName = Annotated[
    str | None,
    typer.Option(
        "--net", metavar="NAME", help="Which network; the only one that runs if left out."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    pass


@app.command(
    epilog=examples(
        "qplane net up examples/repeater.toml",
        "sudo qplane net up examples/repeater.toml --target bmv2 --time-scale 200",
    )
)
def up(
    network: Annotated[
        Path, typer.Argument(metavar="NET.toml", help="The network (docs/network-file.md).")
    ],
    target: Annotated[
        str, typer.Option(help="What runs the P4 program: embedded, or bmv2 (needs root).")
    ] = "embedded",
    clock: Annotated[
        str,
        typer.Option(
            help="paced: all in this process, no root. real: a process and a namespace for each "
            "switch, veth pairs between them, hosts in namespaces (needs root; always so for bmv2)."
        ),
    ] = "",
    time_scale: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="One second of the network takes X seconds; 1 for paced, 100 for real by default.",
        ),
    ] = None,
    bmv2: Annotated[
        str | None, typer.Option(metavar="PATH", help="simple_switch_grpc, if not that on PATH.")
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where P4Runtime is served; with a process for each switch the first of as many "
            "ports. Port 0: any that are free.",
        ),
    ] = "127.0.0.1:0",
    seed: Annotated[
        int | None, typer.Option(min=0, max=(1 << 64) - 1, help="Instead of the file's.")
    ] = None,
    pcap: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a capture of every switch port that the engine has."
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep the controller's circuits there: the next start begins with them.",
        ),
    ] = None,
    stations: Annotated[
        bool,
        typer.Option(
            "--stations",
            help="Links whose tables say nothing of herald have heralding stations of their own: "
            "qplane link can order pairs from all that carry qubits.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a network in real time until Ctrl-C; nothing of it stays behind."""
    from qplane.cli.net_up import Arguments, run

    run(
        Arguments(
            network=network,
            target=target,
            clock=clock,
            time_scale=time_scale,
            bmv2=bmv2,
            listen=listen,
            seed=seed,
            pcap=pcap,
            store=store,
            stations=stations,
            as_json=as_json,
        )
    )


@app.command("list", epilog=examples("qplane net list"))
def list_(as_json: AsJson = False) -> None:
    """The networks that run."""
    import json

    from qplane.live import rundir
    from qplane.live.api import OperationError

    try:
        names = [folder.name for folder in rundir.running()]
    except OperationError as error:
        fail(str(error), FAILED)
    if as_json:
        print(json.dumps(names))
    else:
        for name in names:
            print(name)


@app.command(epilog=examples("qplane net status --json"))
def status(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The network, as --net.")
    ] = None,
    net: NetName = None,
    as_json: AsJson = False,
) -> None:
    """What was delivered, how good it is, and whether the network keeps up with the clock."""
    import json

    from qplane.live import client
    from qplane.live.api import OperationError

    try:
        with client.find(name or net) as running:
            answer = running.call("net.status")
    except OperationError as error:
        fail(str(error), FAILED)
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    from qplane.live.report import status_report
    from qplane.terminal import console

    console().print(status_report(answer))


@app.command(epilog=examples("qplane net down repeater"))
def down(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The network, as --net.")
    ] = None,
    net: NetName = None,
) -> None:
    """End a network, as Ctrl-C does where it runs."""
    import time

    from qplane.live import client, rundir
    from qplane.live.api import OperationError

    try:
        with client.find(name or net) as running:
            running.call("net.down")
            while rundir.is_running(running.folder):
                time.sleep(0.05)
    except OperationError as error:
        fail(str(error), FAILED)


@app.command(
    "exec",
    # An unknown option is the command's own; `--` in front of it keeps ours out of it too.
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "qplane net exec h1 -- ping -c3 h2", "qplane net exec alice --switch -- tshark -i port1"
    ),
)
def exec_(
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="A host, or a node that has exactly one.")
    ],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run.")],
    switch: Annotated[
        bool, typer.Option("--switch", help="Run it where the switch of node HOST has its ports.")
    ] = False,
    net: NetName = None,
) -> None:
    """Run a command in a host's namespace, where the hosts' names resolve."""
    from qplane.live import client, enter
    from qplane.live.api import OperationError

    try:
        with client.find(net) as running:
            place = running.call("net.namespace", name=host, switch=switch)
            folder = running.folder
        enter.run(place["path"], folder / "hosts", place["mark"], command)
    except OperationError as error:
        fail(str(error), FAILED)
