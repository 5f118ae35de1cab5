"""Print the requirements of pyproject.toml, a line each: the base ones and those of named extras.

Used by the Makefile, so that dependencies are installed once and stay while the package itself is
rebuilt without the network.
"""

import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib


def main(path: str, *extras: str) -> None:
    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    print("\n".join(dict.fromkeys(wanted)))


main(*sys.argv[1:])
