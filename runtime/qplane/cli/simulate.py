"""`qplane simulate`: checks what the user gave before anything heavy is loaded, then runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qplane.cli.errors import fail
from qplane.net import Network, NetworkFileError, load, units

DEFAULT_PAIRS = 10_000


@dataclass(frozen=True)
class Options:
    """The command's arguments and options."""

    network: Path
    pairs: int | None
    until: str | None
    seed: int | None
    out: Path | None
    pcap: bool
    as_json: bool
    serve: bool
    listen: str


def run(options: Options) -> None:
    """The whole command."""
    try:
        plan = load(options.network)
    except NetworkFileError as error:
        fail(str(error))
    pairs, until_ps = _goal(options, plan)
    _prepare(options.out)
    from qplane.cli.running import execute

    execute(options, plan, pairs, until_ps)


def _goal(options: Options, plan: Network) -> tuple[int | None, int | None]:
    """How many pairs to deliver, and the virtual time to stop at."""
    until_ps: int | None = None
    if options.until is not None:
        try:
            until_ps = round(units.TIME.parse(options.until))
        except units.UnitError as error:
            fail(f'--until "{options.until}": {error}')
        if until_ps >= 1 << 62:
            fail(f'--until "{options.until}": longer than a 64-bit clock in picoseconds runs')
    pairs = options.pairs
    if not plan.circuits:
        if pairs is not None:
            fail(f"--pairs {pairs}: {options.network} has no [[circuits]] that could deliver pairs")
        if until_ps is None:
            fail(f"{options.network} has no [[circuits]]: say with --until when to stop")
    elif pairs is None and until_ps is None:
        pairs = DEFAULT_PAIRS
    return pairs, until_ps


def _prepare(out: Path | None) -> None:
    """Find out before the run whether results can be written after it."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".qplane-writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        fail(f"--out {out}: can't be written: {error.strerror}; name a folder that can")
