"""Compile the programs of this folder with the p4c on PATH: JSON and P4Info beside each .p4."""

import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"


def main() -> int:
    """The command; returns the exit status."""
    compiler = shutil.which("p4c-bm2-ss")
    if compiler is None:
        print("p4c-bm2-ss is not on PATH", file=sys.stderr)
        return 2
    for source in sorted(PROGRAMS.glob("*.p4")):
        name = source.stem
        subprocess.run(
            [compiler, "--std", "p4-16", "-o", f"{name}.json",
             "--p4runtime-files", f"{name}.p4info.txtpb", source.name],
            cwd=PROGRAMS, check=True,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
