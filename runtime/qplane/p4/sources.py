"""P4 sources, p4c's outputs, and the digests that tell whether they belong together."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


class P4SourceError(Exception):
    """A program, an include file or an output is not there or not what it should be."""


@dataclass(frozen=True)
class Program:
    """p4c's outputs for one program: the BMv2 JSON, and the P4Info as text protobuf."""

    name: str
    json: bytes
    p4info: bytes

    def device_config(self) -> bytes:
        """What is pushed to a switch: the JSON without white space and positions in the sources,
        which are two thirds of it.

        Raises ValueError where it is not JSON.
        """
        return json.dumps(_without_positions(json.loads(self.json)), separators=(",", ":")).encode()


def _without_positions(item: Any) -> Any:
    if isinstance(item, dict):
        return {k: _without_positions(v) for k, v in item.items() if k != "source_info"}
    if isinstance(item, list):
        return [_without_positions(v) for v in item]
    return item


def directory() -> Path:
    """The folder p4src/, in an installed package or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "p4src", package.parents[1] / "p4src"):
        if candidate.is_dir():
            return candidate
    raise P4SourceError(f"no folder p4src beside {package}: the installation is incomplete")


def programs(p4src: Path | None = None) -> list[str]:
    """The names of the programs in `p4src`, sorted."""
    return sorted(path.stem for path in (p4src or directory()).glob("*.p4"))


def outputs(name: str) -> tuple[str, str]:
    """Where the JSON and the P4Info of a program are, relative to p4src."""
    return f"build/{name}.json", f"build/{name}.p4info.txtpb"


def load(name: str = "qnode", p4src: Path | None = None) -> Program:
    """The compiled program `name`. Raises P4SourceError when it was never compiled."""
    root = p4src or directory()
    try:
        device_json, p4info = ((root / path).read_bytes() for path in outputs(name))
    except OSError as error:
        raise P4SourceError(
            f"{error.filename}: {error.strerror}; `qplane p4 build` compiles the programs"
        ) from error
    return Program(name, device_json, p4info)


def sources(name: str, p4src: Path | None = None) -> list[str]:
    """The program's source and all that it includes, relative to p4src, sorted.

    System headers (``#include <...>``) belong to p4c. Raises P4SourceError for a file not there.
    """
    root = (p4src or directory()).resolve()
    found: set[Path] = set()
    pending = [root / f"{name}.p4"]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise P4SourceError(f"{path}: {error.strerror}") from error
        if root not in path.parents:
            raise P4SourceError(f"{path} is included but lies outside {root}")
        found.add(path)
        pending += [(path.parent / included).resolve() for included in _INCLUDE.findall(text)]
    return sorted(path.relative_to(root).as_posix() for path in found)


def digest_path(name: str, p4src: Path | None = None) -> Path:
    """The file that holds the digests; ``sha256sum -c`` in p4src checks it too."""
    return (p4src or directory()) / "build" / f"{name}.sha256"


def digests(name: str, p4src: Path | None = None) -> str:
    """SHA-256 of every source and output, in sha256sum's format. Raises P4SourceError."""
    root = p4src or directory()
    lines: list[str] = []
    for path in (*sources(name, root), *outputs(name)):
        try:
            content = (root / path).read_bytes()
        except OSError as error:
            raise P4SourceError(f"{root / path}: {error.strerror}") from error
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
    return "".join(lines)


def is_fresh(name: str, p4src: Path | None = None) -> bool:
    """Whether the outputs are those of the present sources. Raises P4SourceError."""
    path = digest_path(name, p4src)
    return path.is_file() and path.read_text(encoding="ascii") == digests(name, p4src)
