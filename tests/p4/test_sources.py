"""The committed outputs of p4c belong to the committed sources."""

import hashlib
import json
import shutil

import pytest

from qplane.p4 import P4SourceError, load, programs
from qplane.p4.info import summarize
from qplane.p4.sources import digest_path, digests, directory, is_fresh, sources


@pytest.mark.parametrize("name", programs())
def test_the_committed_outputs_are_those_of_the_sources(name):
    assert is_fresh(name), f"p4src/build of {name}.p4 is stale: run `make p4` and commit the result"


@pytest.mark.parametrize("path", ["qnode.p4", "include/headers.p4", "build/qnode.json"])
def test_any_change_makes_them_stale(path, tmp_path):
    copy = tmp_path / "p4src"
    shutil.copytree(directory(), copy)
    assert is_fresh("qnode", copy)
    with (copy / path).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert not is_fresh("qnode", copy)


def test_every_source_file_is_covered():
    root = directory()
    covered = {source for name in programs() for source in sources(name)}
    present = {p.relative_to(root).as_posix() for p in root.rglob("*.p4") if "build" not in p.parts}
    assert covered == present


def test_the_digest_file_is_in_the_format_of_sha256sum():
    for line in digest_path("qnode").read_text().splitlines():
        digest, path = line.split("  ")
        assert digest == hashlib.sha256((directory() / path).read_bytes()).hexdigest()


def test_the_outputs_name_no_path_of_the_machine_that_compiled_them():
    program = json.loads(load().json)
    assert program["program"] == "build/qnode.p4i"
    assert str(directory()).encode() not in load().json


def test_a_missing_include_is_named(tmp_path):
    (tmp_path / "x.p4").write_text('#include <core.p4>\n  #include "include/gone.p4"\n')
    with pytest.raises(P4SourceError, match=r"gone\.p4: No such file"):
        digests("x", tmp_path)


def test_a_program_that_was_never_compiled(tmp_path):
    with pytest.raises(P4SourceError, match="qplane p4 build"):
        load("x", tmp_path)


def test_the_summary_has_what_the_controller_uses():
    summary = summarize(load())
    tables = {table.name.rpartition(".")[2]: table for table in summary.tables}
    assert {"port_kind", "pair_in", "label_in", "circuit", "ipv4_route"} <= set(tables)
    assert any(header.name == "packet_in" for header in summary.headers)
    assert any(array.kind == "register" for array in summary.arrays)
