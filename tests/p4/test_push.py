"""`qplane p4 load` and what it reads, against the embedded switch and, where it is, BMv2."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from diff.target import Target, find_bmv2, find_embedded
from finsy.proto import p4i
from google.protobuf import text_format

from qplane.p4.push import P4LoadError, find, push
from qplane.p4.runtime_json import RuntimeFileError
from qplane.p4.sources import P4SourceError

PROGRAMS = Path(__file__).resolve().parents[1] / "golden" / "programs"
QPLANE = Path(sys.executable).with_name("qplane")

RUNTIME = {
    "target": "bmv2",
    "p4info": "lookup.p4info.txtpb",
    "bmv2_json": "lookup.json",
    "table_entries": [
        {
            "table": "I.lpm_t",
            "match": {"h.k.c": ["0x1200", 8]},
            "action_name": "I.mark_lpm",
            "action_params": {"value": 7},
        },
        {
            "table": "I.exact_t",
            "match": {"h.k.a": 1, "h.k.d": [2]},
            "action_name": "I.mark_exact",
            "action_params": {"value": [8]},
        },
        {
            "table": "I.ternary_t",
            "match": {"h.k.a": [1, 255]},
            "priority": 3,
            "action_name": "I.mark_ternary",
            "action_params": {"value": 9},
        },
        {
            "table": "I.mixed_t",
            "default_action": True,
            "action_name": "I.forward",
            "action_params": {"port": 5},
        },
    ],
    "multicast_group_entries": [
        {"multicast_group_id": 1, "replicas": [{"egress_port": 2, "instance": 1}]}
    ],
    "clone_session_entries": [{"clone_session_id": 5, "replicas": [{"egress_port": 3}]}],
}


def runtime_file(folder, **changes):
    for name in ("lookup.json", "lookup.p4info.txtpb"):
        (folder / name).write_bytes((PROGRAMS / name).read_bytes())
    path = folder / "s1-runtime.json"
    path.write_text(json.dumps({**RUNTIME, **changes}))
    return path


TARGETS = [
    pytest.param("embedded", id="embedded"),
    pytest.param(
        "bmv2",
        id="bmv2",
        marks=pytest.mark.bmv2,
    ),
]


@pytest.fixture(params=TARGETS)
def target(request):
    executable = find_bmv2() if request.param == "bmv2" else find_embedded()
    with Target(request.param, executable) as running:
        yield running


def run(*arguments):
    return subprocess.run(
        [QPLANE, "p4", "load", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_program_of_the_package(target):
    done = run("--address", target.address, "--device", 0, "--election-id", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{target.address}, device 0, runs qnode\ntable QnodeIngress")
    assert "ipv4_route, up to 65536 entries" in done.stdout
    assert "register pair_identity, 131072 cells of 48 bits" in done.stdout


def test_a_tutorials_runtime_file_as_it_is(target, tmp_path):
    path = runtime_file(tmp_path)
    done = run(path, "--address", target.address, "--device", 0, "--election-id", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("6 entries written\n")
    # a = 1, c = 0x1234, d = 2: the tables' marks stand before the packet; it leaves by 5.
    packet = bytes.fromhex("01001234200000000000000000000000")[:14]
    target.send([(0, packet)])
    trace = bytes([8, 7, 9, 0, 0, 9, 1 | 4 | 32])
    assert target.wait({5: 1}) == {5: [trace + packet]}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"target": "tofino"}, "target: 'tofino': only bmv2 is offered"),
        ({"p4info": "nowhere.txtpb"}, "p4info: no file nowhere.txtpb in"),
        ({"p4info": 7}, "p4info: wanted text, got 7"),
        ({"tables": []}, "tables: not known; known are bmv2_json"),
        ({"table_entries": {}}, "table_entries: wanted a list, got {}"),
        ({"table_entries": [1]}, "table_entries[0]: wanted an object, got 1"),
        ({"table_entries": [{"table": "t"}]}, "table_entries[0].action_name: is missing"),
        (
            {"clone_session_entries": [{"clone_session_id": 1, "replicas": [{}]}]},
            "clone_session_entries[0].replicas[0].egress_port: is missing",
        ),
        (
            {"multicast_group_entries": [{"multicast_group_id": "1", "replicas": []}]},
            "multicast_group_entries[0].multicast_group_id: wanted a number, got '1'",
        ),
    ],
)
def test_a_wrong_runtime_file_gives_one_error_that_names_the_place(tmp_path, changes, problem):
    with pytest.raises(RuntimeFileError) as error:
        find(str(runtime_file(tmp_path, **changes)))
    assert str(tmp_path / "s1-runtime.json") in str(error.value)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"table": "I.nothing"}, "I.nothing"),
        ({"match": {"h.k.z": 1}}, "h.k.z"),
        ({"match": {"h.k.c": ["0x12345", 8]}}, "h.k.c"),
        ({"action_params": {"value": 7, "more": 1}}, "more"),
    ],
)
def test_an_entry_that_does_not_fit_the_program_is_found_before_anything_is_sent(
    tmp_path, change, problem
):
    entry = {**RUNTIME["table_entries"][0], **change}
    pipeline = find(str(runtime_file(tmp_path, table_entries=[entry])))
    with pytest.raises(P4LoadError, match=problem):
        push(pipeline, "127.0.0.1:1", 0, 1)


def test_what_is_no_program(tmp_path):
    for name, content, problem in (
        ("a.json", "{", "not JSON"),
        ("b.json", "[]", "neither a program compiled for BMv2 nor a runtime file"),
        ("c.json", '{"pipelines": []}', "no P4Info beside it"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(P4SourceError, match=problem):
            find(str(tmp_path / name))
    with pytest.raises(P4SourceError, match="No such file"):
        find(str(tmp_path / "nothing.json"))
    (tmp_path / "c.p4info.txtpb").write_text("no P4Info")
    with pytest.raises(P4SourceError, match="not a P4Info"):
        find(str(tmp_path / "c.json"))


def test_a_p4info_in_any_of_its_forms(tmp_path):
    json_file = tmp_path / "lookup.json"
    json_file.write_bytes((PROGRAMS / "lookup.json").read_bytes())
    text = tmp_path / "other.txtpb"
    text.write_bytes((PROGRAMS / "lookup.p4info.txtpb").read_bytes())
    binary = tmp_path / "lookup.p4info.bin"
    binary.write_bytes(text_format.Parse(text.read_text(), p4i.P4Info()).SerializeToString())
    assert find(str(json_file)) == find(str(json_file), text)


def test_nobody_there():
    done = run("--address", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("qplane: 127.0.0.1:1: UNAVAILABLE")
    assert len(done.stderr.splitlines()) == 1


def test_another_controller_is_primary(target):
    done = run("--address", target.address, "--device", 0, "--election-id", 1)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "lection" in done.stderr


def test_a_target_that_refuses_an_entry(target, tmp_path):
    entry = RUNTIME["table_entries"][0]
    path = runtime_file(tmp_path, table_entries=[entry, entry])
    done = run(path, "--address", target.address, "--device", 0, "--election-id", 2)
    assert done.returncode == 1
    assert "ALREADY_EXISTS" in done.stderr and "I.lpm_t" in done.stderr
    assert len(done.stderr.splitlines()) == 1
