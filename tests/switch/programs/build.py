"""Compile the test programs with the p4c on PATH: JSON and P4Info beside each .p4."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    compiler = shutil.which("p4c-bm2-ss")
    if compiler is None:
        print("p4c-bm2-ss is not on PATH", file=sys.stderr)
        return 1
    for source in sorted(HERE.glob("*.p4")):
        name = source.stem
        subprocess.run(
            [compiler, "--std", "p4-16", "-o", f"{name}.json",
             "--p4runtime-files", f"{name}.p4info.txtpb", source.name],
            cwd=HERE, check=True,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
