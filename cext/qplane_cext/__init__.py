"""The compiled half of qplane: quantum memory, event loop, the switch's packet path."""

from pathlib import Path


def _check_extensions() -> None:
    """After a pull, new Python sources must not run beside extensions built from older ones: what
    the two have in common (instruction numbers, layouts) may have changed. An installed package
    has no .pyx files, so there is nothing to compare.

    Raises ImportError.
    """
    package = Path(__file__).parent
    for source in package.glob("*/*.pyx"):
        for built in source.parent.glob(f"{source.stem}.*.so"):
            if source.stat().st_mtime > built.stat().st_mtime and _is_new(package, source):
                raise ImportError(f"{built} is older than its source {source.name}: `make venv`")


def _is_new(package: Path, source: Path) -> bool:
    import hashlib
    import json

    try:
        built_from = json.loads((package / "built_from.json").read_text())
    except (OSError, ValueError):
        return True
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return bool(built_from.get(str(source.relative_to(package))) != digest)


_check_extensions()
