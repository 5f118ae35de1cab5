"""Compiling: p4c's own words on an error, and what to install where there is none."""

import shutil
import stat

import pytest

from qplane.p4 import build as building
from qplane.p4.sources import directory, is_fresh, outputs


@pytest.fixture
def p4src(tmp_path):
    copy = tmp_path / "p4src"
    shutil.copytree(directory(), copy)
    return copy


@pytest.mark.p4c
def test_compiling_gives_the_committed_outputs(p4src):
    written = building.build("qnode", p4src)
    assert [path.name for path in written] == ["qnode.json", "qnode.p4info.txtpb", "qnode.sha256"]
    for output in outputs("qnode"):
        assert (p4src / output).read_bytes() == (directory() / output).read_bytes()
    assert is_fresh("qnode", p4src)


@pytest.mark.p4c
def test_a_syntax_error_shows_p4cs_message_and_keeps_the_old_outputs(p4src):
    source = p4src / "qnode.p4"
    lines = source.read_text().splitlines()
    lines.insert(30, "    table {")
    source.write_text("\n".join(lines))
    before = (p4src / "build/qnode.json").read_bytes()
    with pytest.raises(building.P4RefusedError, match=r"qnode\.p4\(31\)"):
        building.build("qnode", p4src)
    assert (p4src / "build/qnode.json").read_bytes() == before


def _executable(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_without_a_compiler_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(building.P4BuildError, match=r"no P4 compiler.*Install p4c.*p4lang/p4c"):
        building.find_compiler()


def test_an_engine_that_does_not_run_is_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _executable(tmp_path / "docker", "exit 1\n")
    with pytest.raises(building.P4BuildError, match="no P4 compiler"):
        building.find_compiler()


def test_a_container_engine_is_used_where_there_is_no_p4c(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _executable(tmp_path / "podman", "exit 0\n")
    command = building.find_compiler()(directory())
    assert command[:2] == ["podman", "run"]
    assert command[-2:] == ["p4lang/p4c", "p4c"]
    assert f"{directory()}:/p4src" in command


def test_p4c_on_path_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _executable(tmp_path / "docker", "exit 0\n")
    _executable(tmp_path / "p4c", "exit 0\n")
    assert building.find_compiler()(directory()) == ["p4c"]
