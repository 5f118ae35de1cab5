"""The embedded switch does what real BMv2 was recorded to do."""

from collections import Counter

import pytest
from diff.compare import canonical, queries
from diff.programs import load as load_program
from diff.programs import names

from golden.recording import RECORDINGS, digest, load
from qplane.switch import Switch

FILES = sorted(RECORDINGS.glob("*.jsonl"))


def test_every_program_is_recorded():
    assert {path.stem.rpartition("-")[0] for path in FILES} == set(names())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorded_behaviour(path):
    recording = load(path)
    program = load_program(recording.program)
    if recording.sha256 != digest(program):
        pytest.skip(f"recorded with another build of {recording.program}.p4: `make golden`")
    switch = Switch(program.json, program.p4info)
    for update in recording.writes:
        switch.write(update.type, update.entity)
    for number, ((port, data), left) in enumerate(recording.packets):
        out = sorted(switch.inject(port, data))
        assert out == left, f"packet {number}, into port {port}: {data.hex()}"
    seen = [
        entity
        for query in queries(program)
        if not query.HasField("table_entry")
        for entity in switch.read(query)
    ]
    assert canonical(seen) == canonical(recording.reads)


@pytest.mark.bmv2
def test_the_recordings_are_of_these_programs():
    """Asked only where they can be made again."""
    stale = [
        path.name for path in FILES if load(path).sha256 != digest(load_program(load(path).program))
    ]
    assert not stale, "programs have changed since; `make golden` records them again"


def test_the_recordings_exercise_the_program():
    """Not all drops: each program's packets leave, and by more than one kind of path."""
    for name in names():
        ports = Counter(
            port
            for path in FILES
            if path.stem.rpartition("-")[0] == name
            for _, left in load(path).packets
            for port, _ in left
        )
        assert ports.total() >= 100, (name, ports)
