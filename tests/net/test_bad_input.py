"""An outsider's check of network files: every value of every example made wrong in many ways.

Whatever is in a file, reading it either works or says in one line which file, where in it, and what
is wrong there. Nothing else comes out, and never half a network.
"""

import json
import sys
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from qplane.net import NetworkFileError, loads, schema

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVERYTHING = Path(__file__).with_name("everything.toml")
EXAMPLES = [EVERYTHING, *sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))]
WRONG = [
    True,
    0,
    -1,
    1.5,
    10**30,
    float("nan"),
    float("inf"),
    "",
    " ",
    "nonsense",
    "-5 ms",
    "5 parsecs",
    "1e400 s",
    "\x00",
    "line\nbreak",
    "é" * 300,
    [],
    [1, "a"],
    {},
    {"a": 1},
]


def toml(value):
    """A value as TOML, inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def text(data):
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in data.items())


def places(data, place=()):
    """The place of every value, tables and lists included."""
    if place:
        yield place
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*place, key))
    elif isinstance(data, list):
        seen = set()
        for index, value in enumerate(data):
            new = set(value) - seen if isinstance(value, dict) else set()
            if index < 2 or new:  # the others are like these
                yield from places(value, (*place, index))
            seen |= new


def changed(data, place, change):
    """A copy in which `change(container, key)` was done at the place."""
    data = json.loads(json.dumps(data))
    at = data
    for key in place[:-1]:
        at = at[key]
    change(at, place[-1])
    return data


def outcome(data):
    """What the file's reader says; None: nothing."""
    try:
        loads(text(data), file="wrong.toml")
    except NetworkFileError as error:
        return str(error)
    return None


def sections(model):
    """A model of the schema, and those below it."""
    yield model
    for field in model.model_fields.values():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from sections(part)


def test_each_key_of_the_schema_stands_in_the_file_that_is_made_wrong():
    data = tomllib.loads(EVERYTHING.read_text())
    there = {place[-1] for place in places(data)}
    keys = {
        field.alias or name
        for model in sections(schema.NetworkFile)
        for name, field in model.model_fields.items()
    }
    assert len(keys) > 80
    assert keys <= there, f"{EVERYTHING.name} lacks {keys - there}"


def check(said, place, what):
    assert said.startswith("wrong.toml"), (place, what, said)
    assert "\n" not in said and len(said) < 1000, (place, what, said)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_wrong_value_is_one_line_that_says_where(example):
    data = tomllib.loads(example.read_text())
    assert outcome(data) is None
    refused = 0
    for place in places(data):
        for wrong in WRONG:
            said = outcome(changed(data, place, lambda at, key, w=wrong: at.__setitem__(key, w)))
            if said is None:
                continue  # it is a possible value, such as another name
            refused += 1
            check(said, place, wrong)
            key = next(part for part in reversed(place) if isinstance(part, str))
            # Or a right value, such as an empty table: then what needed the old one says so.
            follows = wrong == {} or "no such" in said or "is missing" in said
            assert key in said or follows, (place, wrong, said)
    assert refused > 100


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_unknown_key_is_named(example):
    data = tomllib.loads(example.read_text())
    for place in places(data):
        at = data
        for key in place:
            at = at[key]
        if not isinstance(at, dict) or place in (("nodes",), ("memories",), ("slices",)):
            continue
        said = outcome(changed(data, (*place, "frobnicate"), lambda at, key: at.update({key: 1})))
        check(said, place, "unknown key")
        assert "frobnicate" in said, (place, said)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_what_is_left_out_is_named_or_not_needed(example):
    data = tomllib.loads(example.read_text())
    for place in places(data):
        said = outcome(changed(data, place, lambda at, key: at.pop(key)))
        if said is not None:
            check(said, place, "left out")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_what_stands_twice_is_refused(example):
    data = tomllib.loads(example.read_text())
    for section in ("circuits", "hosts"):
        for index, item in enumerate(data.get(section, [])):
            said = outcome({**data, section: [*data[section], item]})
            check(said, (section, index), "twice")
            assert section in said, said


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("links", "between"),
        ("circuits", "from"),
        ("circuits", "to"),
        ("circuits", "slice"),
        ("hosts", "node"),
        ("hosts", "slice"),
        ("pings", "from"),
        ("pings", "to"),
        ("links", "slice"),
        ("links", "herald"),
        ("links", "memory"),
    ],
)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_a_name_that_nothing_has_is_named_with_those_that_there_are(example, section, key):
    data = tomllib.loads(example.read_text())
    if not data.get(section):
        pytest.skip(f"{example.name} has no [[{section}]]")
    wrong = ["nobody", "nobody2"] if key == "between" else "nobody"
    said = outcome(changed(data, (section, 0, key), lambda at, k: at.__setitem__(k, wrong)))
    check(said, (section, 0, key), wrong)
    assert f"{section}" in said and "nobody" in said, said
