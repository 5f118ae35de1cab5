"""Compiles the P4 programs with stock p4c, from PATH or in its container."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from qplane.p4.sources import digest_path, digests, directory, outputs, sources

CONTAINER = "p4lang/p4c"
_ENGINES = ("docker", "podman")

Compiler = Callable[[Path], list[str]]
"""From the folder p4src to the command that runs p4c there."""


class P4BuildError(Exception):
    """There is no p4c, or it failed; the message is for the user."""


class P4RefusedError(P4BuildError):
    """p4c does not accept a program."""


def find_compiler() -> Compiler:
    """p4c on PATH, else its container under a running engine. Raises P4BuildError."""
    if shutil.which("p4c"):
        return lambda _: ["p4c"]
    for engine in _ENGINES:
        if shutil.which(engine) and _engine_runs(engine):
            return lambda p4src, engine=engine: [  # type: ignore[misc]
                engine, "run", "--rm", "--volume", f"{p4src}:/p4src", "--workdir", "/p4src",
                CONTAINER, "p4c",
            ]  # fmt: skip
    raise P4BuildError(
        "no P4 compiler: there is neither p4c on PATH nor a container engine that runs. Install "
        "p4c (the package p4lang-p4c of the p4lang repositories, or from github.com/p4lang/p4c) "
        f"or docker or podman, which then run the container {CONTAINER}. The compiled programs "
        "that come with qplane work without it."
    )


def _engine_runs(engine: str) -> bool:
    try:
        done = subprocess.run([engine, "info"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def build(name: str, p4src: Path | None = None, compiler: Compiler | None = None) -> list[Path]:
    """Compile p4src/`name`.p4 into p4src/build; returns the files written.

    Warnings are errors. Outputs are replaced only after p4c has accepted the program. Raises
    P4RefusedError with p4c's own messages, P4BuildError, and OSError where p4src/build can't be
    written.
    """
    root = (p4src or directory()).resolve()
    with tempfile.TemporaryDirectory(prefix="qplane-p4c-") as scratch:
        # p4c runs on a copy, with relative names: no path of this machine gets into the JSON, and
        # nothing is left behind when it refuses.
        copy = Path(scratch).resolve()
        for source in sources(name, root):
            (copy / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / source, copy / source)
        (copy / "build").mkdir()
        done = subprocess.run(
            [
                *(compiler or find_compiler())(copy),
                "--target", "bmv2", "--arch", "v1model", "--std", "p4-16", "--Werror",
                "--p4runtime-files", f"build/{name}.p4info.txtpb", "-o", "build", f"{name}.p4",
            ],
            cwd=copy, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip() or f"exit status {done.returncode}"
            raise P4RefusedError(f"p4c does not accept {name}.p4:\n{said}")
        (root / "build").mkdir(exist_ok=True)
        written: list[Path] = []
        for output in outputs(name):
            if not (copy / output).is_file():
                raise P4BuildError(f"p4c reported no error but wrote no {output}")
            written.append(Path(shutil.copyfile(copy / output, root / output)))
    digest = digest_path(name, root)
    digest.write_text(digests(name, root), encoding="ascii")
    return [*written, digest]
