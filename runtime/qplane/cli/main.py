"""The `qplane` command: its subcommands and their options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import qplane
from qplane.cli import circuit, link, net, new, p4
from qplane.cli.errors import WRONG_INPUT
from qplane.cli.examples import examples

app = typer.Typer(
    name="qplane",
    help="A P4-programmable data plane for networks that are classical and quantum at once.",
    epilog="Start with: qplane simulate examples/repeater.toml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(p4.app, name="p4")
app.add_typer(new.app, name="new")
app.add_typer(net.app, name="net")
app.add_typer(link.app, name="link")
app.add_typer(circuit.app, name="circuit")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"qplane {qplane.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command(
    epilog=examples(
        "qplane simulate examples/repeater.toml --pairs 10000 --seed 3",
        "qplane simulate net.toml --until 2s --json > result.json",
        "qplane simulate net.toml --serve",
    )
)
def simulate(
    network: Annotated[
        Path, typer.Argument(metavar="NET.toml", help="The network (docs/network-file.md).")
    ],
    pairs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=(1 << 63) - 1,
            help="Stop after so many delivered pairs (10000 unless --until).",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help='Stop at this virtual time, like "2s".')
    ] = None,
    patience: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Without --until, give up when no pair was delivered for so long of virtual time "
            "(100 cut-offs of the end nodes).",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=(1 << 64) - 1, help="Instead of the file's: same seed, same bytes."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write summary.json, a plot and captures there."),
    ] = None,
    pcap: Annotated[
        bool, typer.Option("--pcap/--no-pcap", help="Captures of every switch port in --out.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Keep switches and P4Runtime server up until Ctrl-C."),
    ] = False,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the P4Runtime server listens.")
    ] = "127.0.0.1:0",
) -> None:
    """Run a network in virtual time and report what was delivered."""
    from qplane.cli.simulate import Options, run

    run(
        Options(
            network=network,
            pairs=pairs,
            until=until,
            patience=patience,
            seed=seed,
            out=out,
            pcap=pcap,
            as_json=as_json,
            serve=serve,
            listen=listen,
        )
    )


@app.command(epilog=examples("qplane top", "qplane top --interval 5 --count 3 --json"))
def top(
    interval: Annotated[float, typer.Option(metavar="S", help="Seconds between two looks.")] = 1.0,
    count: Annotated[
        int | None, typer.Option(min=1, help="Look so often; until Ctrl-C if left out.")
    ] = None,
    net_name: net.NetName = None,
    as_json: net.AsJson = False,
) -> None:
    """Watch a running network: what its circuits deliver, what its memories hold."""
    from qplane.cli.top import run

    run(net_name, interval, count, as_json)


@app.command(
    epilog=examples(
        "qplane ping alice bob",
        "qplane ping alice bob --count 3 --json",
        "qplane ping bob alice --circuit video --interval 0.2",
        "qplane ping alice bob --sample 500",
    )
)
def ping(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The end that asks.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The other end.")],
    circuit_name: Annotated[
        str | None,
        typer.Option("--circuit", metavar="NAME", help="Which, if several join them."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="So many pings; until Ctrl-C if left out.")
    ] = None,
    interval: Annotated[
        float, typer.Option(metavar="S", help="Seconds of your time from one ping to the next.")
    ] = 1.0,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Seconds of the network's time to wait: 1; 60 with --sample."
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=65535,
            help="Instead: both ends measure N pairs, which are used up, and compare outcomes.",
        ),
    ] = None,
    net_name: net.NetName = None,
    as_json: net.AsJson = False,
) -> None:
    """Ask every node on a circuit for round trip and state; show where the circuit is broken."""
    from qplane.cli.ping import run, run_sample

    where = {"source": source, "target": target, "circuit": circuit_name}
    if sample is not None:
        run_sample(
            net_name, as_json, pairs=sample, timeout=60.0 if timeout is None else timeout, **where
        )
        return
    run(net_name, as_json, count, interval, timeout=1.0 if timeout is None else timeout, **where)


@app.command(
    epilog=examples(
        "qplane teleport alice bob",
        "qplane teleport alice bob --state +X --count 200",
        "qplane teleport bob alice --state -Y --count 50 --json",
    )
)
def teleport(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The end that sends.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The other end.")],
    state: Annotated[
        str, typer.Option(metavar="STATE", help="One of +Z, -Z, +X, -X, +Y, -Y.")
    ] = "+Z",
    count: Annotated[
        int, typer.Option(min=1, max=65535, help="So many times; each takes a pair.")
    ] = 100,
    circuit_name: Annotated[
        str | None,
        typer.Option("--circuit", metavar="NAME", help="Which, if several join them."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", help="Seconds of the network's time to wait.")
    ] = 60.0,
    net_name: net.NetName = None,
    as_json: net.AsJson = False,
) -> None:
    """Teleport a state over a circuit's pairs, and count how often it arrives."""
    from qplane.cli.teleport import run

    run(net_name, as_json, source, target, state, count, circuit_name, timeout)


@app.command(
    epilog=examples(
        "qplane shell", 'qplane shell -c \'circuits.add("alice", "bob", fidelity=0.9)\''
    )
)
def shell(
    command: Annotated[
        str | None, typer.Option("-c", metavar="CODE", help="Run this instead of a prompt.")
    ] = None,
    net_name: net.NetName = None,
) -> None:
    """A Python prompt (IPython) with the objects of a running network."""
    from qplane.cli.shell import run

    run(net_name, command)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
    epilog=examples("qplane switch --device-id 1 -i 1@veth0 --grpc-server-addr 127.0.0.1:9559"),
)
def switch(context: typer.Context) -> None:
    """Run the embedded switch alone, as `qplane-switch` does (simple_switch_grpc's options)."""
    from qplane.switch.cli import main as switch_main

    raise typer.Exit(switch_main(context.args))


def main() -> None:
    """Entry point of the `qplane` command."""
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        from qplane.cli.usage import one_line

        line = one_line(error)
        if line:
            print(f"qplane: {line}", file=sys.stderr)
        status = WRONG_INPUT
    sys.exit(status)
