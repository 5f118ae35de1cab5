"""Build of the two packages: ``qplane`` (runtime/) and ``qplane_cext`` (cext/, Cython).

Everything that is not about compiling or about where a package's files lie is in pyproject.toml.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

CEXT = Path("cext")
# Physics gives the same bits whether or not a machine has fused multiply-add instructions.
SAME_BITS = {folder: ["-ffp-contract=off"] for folder in ("memory", "sim")}


def extensions() -> list[Extension]:
    """One extension per .pyx file, named by its place below cext/."""
    flags = ["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-Wno-unused-function"]
    sanitize = []
    if os.environ.get("QPLANE_SANITIZE"):  # a build for tests that stop at the first fault
        sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
        flags += [*sanitize, "-O1", "-fno-omit-frame-pointer", "-g"]
    return [
        Extension(
            ".".join(source.relative_to(CEXT).with_suffix("").parts),
            [str(source)],
            include_dirs=[str(CEXT), numpy.get_include()],
            depends=[str(header) for header in sorted(source.parent.glob("*.h"))],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            extra_compile_args=flags + SAME_BITS.get(source.parent.name, []),
            extra_link_args=sanitize,
        )
        for source in sorted(CEXT.rglob("*.pyx"))
    ]


def note_sources(package: Path) -> None:
    """Write the digests of the Cython sources that the extensions in place were built from."""
    digests = {
        str(source.relative_to(package)): hashlib.sha256(source.read_bytes()).hexdigest()
        for source in sorted(package.rglob("*.p[yx][xd]"))
    }
    (package / "built_from.json").write_text(json.dumps(digests, indent=0))


class BuildExtensions(build_ext):
    """Also notes what the extensions were built from, for qplane_cext to compare."""

    def run(self) -> None:
        super().run()
        if self.inplace:
            note_sources(CEXT / "qplane_cext")


setup(
    cmdclass={"build_ext": BuildExtensions},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
    packages=[
        *find_packages("runtime"),
        *find_packages("cext"),
        "qplane.p4src",
        "qplane.p4src.build",
        "qplane.p4src.include",
    ],
    package_dir={"": "runtime", "qplane_cext": "cext/qplane_cext", "qplane.p4src": "p4src"},
    package_data={
        "qplane": ["py.typed"],
        "qplane_cext": ["*.pyi", "**/*.pyi", "*.pxd", "**/*.pxd", "*.h", "**/*.h", "py.typed"],
        "qplane.p4src": ["*.p4"],
        "qplane.p4src.build": ["*"],
        "qplane.p4src.include": ["*.p4"],
    },
    ext_modules=cythonize(
        extensions(),
        include_path=[str(CEXT)],
        nthreads=os.cpu_count() or 1,
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
            "freethreading_compatible": False,
        },
    ),
)
