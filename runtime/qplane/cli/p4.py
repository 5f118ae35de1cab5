"""`qplane p4`: what the compiled P4 programs offer, and how they are compiled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qplane.cli.errors import FAILED, fail
from qplane.cli.examples import examples

if TYPE_CHECKING:
    from qplane.p4.info import ProgramSummary

app = typer.Typer(help="The P4 programs of this package.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="A folder with *.p4, instead of the package's p4src."),
]


@app.command(epilog=examples("qplane p4 info qnode"))
def info(
    program: Annotated[str, typer.Argument(help="Name of the program.")] = "qnode",
    source: Folder = None,
) -> None:
    """Print tables, registers, counters, digests and controller headers, with widths in bits."""
    from qplane.p4.info import summarize
    from qplane.p4.sources import P4SourceError, load

    try:
        summary = summarize(load(program, source))
    except P4SourceError as error:
        fail(str(error))
    _print(summary)


def _print(summary: ProgramSummary) -> None:
    for table in summary.tables:
        print(f"table {table.name}, up to {table.size} entries")
        for key in table.keys:
            print(f"    key     {key}")
        for action in table.actions:
            print(f"    action  {action}")
    for array in summary.arrays:
        size = f", {array.size} cells" if array.size else ""
        bits = f" of {array.bits} bits" if array.bits else ""
        print(f"{array.kind} {array.name}{size}{bits}")
    for header in summary.headers:
        print(f"controller header {header.name}: {', '.join(header.fields)}")


@app.command(epilog=examples("qplane p4 build"))
def build(
    program: Annotated[
        str | None, typer.Argument(help="Name of the program; all of them if not given.")
    ] = None,
    source: Folder = None,
) -> None:
    """Compile p4src/*.p4 into p4src/build with p4c, and write the digests of the sources."""
    from qplane.p4 import build as building
    from qplane.p4.sources import P4SourceError, directory, programs

    try:
        folder = directory() if source is None else source
        names = programs(folder)
        if program is not None:
            if program not in names:
                fail(f"{folder} has no {program}.p4 (it has {', '.join(names) or 'no program'})")
            names = [program]
        if not names:
            fail(f"{folder} has no *.p4")
        compiler = building.find_compiler()
        for name in names:
            for path in building.build(name, folder, compiler):
                print(path)
    except (P4SourceError, building.P4RefusedError) as error:
        fail(str(error))
    except building.P4BuildError as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"{error.filename}: can't be written: {error.strerror}")


@app.command(epilog=examples("qplane p4 load s1-runtime.json --address 127.0.0.1:50051 --device 0"))
def load(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PROGRAM|FILE.json",
            help="Name of a program of this package, a compiled program with its P4Info beside it, "
            "or a runtime file of the P4 tutorials (s1-runtime.json).",
        ),
    ] = "qnode",
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the target's P4Runtime server listens.")
    ] = "127.0.0.1:9559",
    device: Annotated[
        int, typer.Option(min=0, max=(1 << 64) - 1, help="Device id of the target.")
    ] = 1,
    p4info: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The program's P4Info, text or .bin.")
    ] = None,
    election_id: Annotated[
        int,
        typer.Option(min=1, max=(1 << 128) - 1, help="The highest is the primary controller."),
    ] = 1,
) -> None:
    """Push a P4 program to a P4Runtime target, BMv2 or embedded, and print what it has then."""
    from qplane.p4 import push as pushing
    from qplane.p4.info import summarize
    from qplane.p4.runtime_json import RuntimeFileError
    from qplane.p4.sources import P4SourceError

    try:
        pipeline = pushing.find(source, p4info)
        summary = summarize(pipeline.program)
        pushing.push(pipeline, address, device, election_id)
    except (P4SourceError, RuntimeFileError) as error:
        fail(str(error))
    except pushing.P4LoadError as error:
        fail(str(error), FAILED)
    print(f"{address}, device {device}, runs {pipeline.program.name}")
    _print(summary)
    if pipeline.entities:
        print(f"{len(pipeline.entities)} entries written")
