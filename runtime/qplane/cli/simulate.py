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
    patience: str | None
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
    until_ps = _time_ps("--until", options.until)
    patience_ps = _time_ps("--patience", options.patience)
    pairs = _pairs(options, plan, until_ps)
    _prepare(options.out)
    from qplane.cli.running import execute
    from qplane.simulate.session import Goal

    execute(options, plan, Goal(pairs, until_ps, patience_ps))


def _time_ps(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time_ps = round(units.TIME.parse(text))
    except units.UnitError as error:
        fail(f'{option} "{text}": {error}')
    if time_ps >= 1 << 62:
        fail(f'{option} "{text}": longer than a 64-bit clock in picoseconds runs')
    return time_ps


def _pairs(options: Options, plan: Network, until_ps: int | None) -> int | None:
    """How many pairs to deliver; None: the time decides."""
    pairs = options.pairs
    if not plan.circuits:
        if pairs is not None:
            fail(f"--pairs {pairs}: {options.network} has no [[circuits]] that could deliver pairs")
        if until_ps is None:
            fail(f"{options.network} has no [[circuits]]: say with --until when to stop")
    elif pairs is None and until_ps is None:
        pairs = DEFAULT_PAIRS
    return pairs


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
