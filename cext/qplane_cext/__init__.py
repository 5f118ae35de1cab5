"""The compiled half of qplane: quantum memory, event loop, the switch's packet path."""

from pathlib import Path


def _check_extensions() -> None:
    """After a pull, Python sources must not run beside extensions of older sources: what the two
    have in common (instruction numbers, layouts) may have changed. An installed package has no
    .pyx files, so there is nothing to compare.

    Raises ImportError.
    """
    for source in Path(__file__).parent.glob("*/*.pyx"):
        for built in source.parent.glob(f"{source.stem}.*.so"):
            if source.stat().st_mtime > built.stat().st_mtime:
                raise ImportError(
                    f"{built.name} is older than its source {source}: run `make venv`"
                )


_check_extensions()
