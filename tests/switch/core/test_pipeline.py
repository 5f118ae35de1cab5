"""Loading: what a pipeline tells about itself, what is refused and how, mutated files."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from qplane_cext.switch.core import Pipeline, PipelineError, SwitchCore

from .conftest import PROGRAMS, pipeline

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.json"))


def document(name: str) -> dict[str, Any]:
    return json.loads((PROGRAMS / f"{name}.json").read_text())


def test_tables_and_actions_are_described() -> None:
    one = pipeline("tables").tables["MyIngress.t_ternary"]
    assert [(key.kind, key.bitwidth) for key in one.keys] == [
        ("ternary", 32), ("ternary", 16), ("exact", 8),
    ]  # fmt: skip
    assert one.implementation == "simple" and one.support_timeout and one.max_size == 2048
    [value] = {info.param_bitwidths for info in pipeline("tables").actions["MyIngress.set_value"]}
    assert value == (16,)
    assert pipeline("tables").tables["MyIngress.t_const"].has_const_entries
    assert pipeline("tables").counters["MyIngress.hits"].table == "MyIngress.t_exact"


def test_arrays_are_described() -> None:
    externs = pipeline("externs")
    assert externs.registers["MyIngress.smalls"][1:3] == (16, 5)
    assert externs.meters["MyIngress.byte_meter"].unit == "bytes"
    assert externs.meters["MyIngress.entry_meter"].table == "MyIngress.t_metered"
    assert pipeline("parsing").value_sets == {"MyParser.special": (8, 8)}


def edited(name: str, edit: Callable[[dict[str, Any]], None]) -> bytes:
    root = document(name)
    edit(root)
    return json.dumps(root).encode()


def exact(root: dict[str, Any]) -> dict[str, Any]:
    return next(t for t in root["pipelines"][0]["tables"] if t["name"].endswith("t_exact"))


def primitive(root: dict[str, Any], op: str) -> dict[str, Any]:
    return next(p for a in root["actions"] for p in a["primitives"] if p["op"] == op)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda r: primitive(r, "assign").update(op="teleport"), ["teleport", "tables.p4 line"]),
        (lambda r: primitive(r, "assign")["parameters"].pop(), ["assign", "2 parameters"]),
        (lambda r: r["__meta__"].update(version=[3, 0]), ["version"]),
        (lambda r: r["parsers"].clear(), ["parser"]),
        (lambda r: exact(r).update(match_type="fuzzy"),
         ["fuzzy", "tables.p4 line"]),
        (lambda r: exact(r)["key"][0].update(target=["k", "zz"]), ["zz"]),
        (lambda r: r["headers"][2].update(header_type="ghost_t"), ["ghost_t"]),
        (lambda r: r["header_types"][2]["fields"].append(["x", 3, False]), ["not a multiple of 8"]),
        (lambda r: r["extern_instances"].append({"name": "e", "type": "Warp"}), ["Warp"]),
        (lambda r: r["deparsers"][0]["order"].append("nothing"), ["nothing"]),
        (lambda r: r.pop("actions"), ["actions"]),
        (lambda r: r["calculations"].append({"name": "c", "algo": "md5", "input": []}), ["md5"]),
        (lambda r: r["register_arrays"].append(
            {"name": "huge", "size": 1 << 40, "bitwidth": 64}), ["huge"]),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(
    edit: Callable[[dict[str, Any]], None], words: list[str]
) -> None:
    with pytest.raises(PipelineError) as error:
        Pipeline(edited("tables", edit))
    for word in words:
        assert word in str(error.value)


def test_numbers_that_no_machine_word_holds_are_refused() -> None:
    with pytest.raises(PipelineError, match="too large"):
        Pipeline(edited("tables", lambda root: root["errors"][1].__setitem__(1, 1 << 70)))


def test_a_pipeline_with_a_loop_is_refused() -> None:
    def loop(root: dict[str, Any]) -> None:
        tables = root["pipelines"][0]["tables"]
        first = root["pipelines"][0]["init_table"]
        for table in tables:
            table["next_tables"] = dict.fromkeys(table["next_tables"], first)

    with pytest.raises(PipelineError, match="loop"):
        Pipeline(edited("tables", loop))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_pipeline_is_refused(text: bytes) -> None:
    with pytest.raises(PipelineError):
        Pipeline(text)


@pytest.mark.parametrize("was_on", [True, False])
def test_garbage_collection_is_as_before_after_a_load(was_on: bool) -> None:
    try:
        if not was_on:
            gc.disable()
        with pytest.raises(PipelineError):
            Pipeline(b"{}")
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


def test_a_failed_push_leaves_the_switch_as_it_was() -> None:
    core = SwitchCore()
    core.commit(pipeline("replication"))

    def clash(root: dict[str, Any]) -> None:
        table = next(t for t in root["pipelines"][0]["tables"] if t["name"].endswith("t_const"))
        table["entries"].append(table["entries"][0])

    duplicate = Pipeline(edited("tables", clash))
    with pytest.raises(PipelineError, match="t_const"):
        core.commit(duplicate)
    assert len(core.process(0, bytes(8), 0)) == 1
    assert core.pipeline is pipeline("replication")
    core.commit(pipeline("tables"))
    assert core.pipeline is pipeline("tables")


@pytest.mark.parametrize(
    "part", ["learn_lists", "register_arrays", "counter_arrays", "parse_vsets"]
)
def test_a_name_that_is_no_string_is_refused(part: str) -> None:
    for name in NAMES:
        root = document(name)
        if root.get(part):
            root[part][0]["name"] = {}
            with pytest.raises(PipelineError):
                Pipeline(json.dumps(root).encode())
            return
    raise AssertionError(f"no program has {part}")


def mutate(random: Random, item: Any) -> Any:
    """A copy with one thing changed somewhere below."""
    if isinstance(item, dict) and item and random.random() < 0.97:
        key = random.choice(list(item))
        out = dict(item)
        if random.random() < 0.05:
            del out[key]
        else:
            out[key] = mutate(random, item[key])
        return out
    if isinstance(item, list) and item and random.random() < 0.97:
        at = random.randrange(len(item))
        out_list = list(item)
        if random.random() < 0.05:
            del out_list[at]
        elif random.random() < 0.05:
            out_list.append(item[at])
        else:
            out_list[at] = mutate(random, item[at])
        return out_list
    return random.choice(
        [None, True, -1, 0, 1, 2, 7, 1 << 31, 1 << 70, 0.5, "", "default", "0x", "0xff", "-0x1",
         "0x" + "f" * 40, [], {}, [[]], "scalars", ["scalars", "x"], item, item]
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_mutated_files_are_loaded_or_refused_and_what_loads_runs(name: str) -> None:
    random = Random(name)
    root = document(name)
    loaded = 0
    for _ in range(60):
        text = json.dumps(mutate(random, root)).encode()
        try:
            one = Pipeline(text)
            core = SwitchCore()
            core.commit(one)
        except (PipelineError, MemoryError):
            continue
        loaded += 1
        for _ in range(20):
            core.process(random.randrange(600), random.randbytes(random.randrange(90)), 0)
    assert loaded  # most mutations touch what does not matter


@pytest.mark.parametrize("name", NAMES)
def test_mutated_packets_do_no_harm(name: str) -> None:
    random = Random(name)
    core = SwitchCore()
    core.commit(pipeline(name))
    core.clone_session_set(1, [(1, 1)])
    core.multicast_set(1, [(1, 1), (2, 2)])
    packet = random.randbytes(120)
    for _ in range(3000):
        data = bytearray(packet[: random.choice((120, random.randrange(121)))])
        for _ in range(random.randrange(6)):
            if data:
                data[random.randrange(len(data))] = random.choice(
                    (0, 1, 255, random.randrange(256))
                )
        if data and random.random() < 0.7:
            data[0] = random.randrange(16)  # the operation, in most programs
        for _, out in core.process(random.randrange(512), bytes(data), 0):
            packet = out + random.randbytes(max(0, 40 - len(out))) if len(out) < 2000 else packet
    assert core.stats["processed"] == 3000


def test_a_switch_that_the_collector_takes_goes_before_its_program() -> None:
    """The allocator overwrites what is freed, so reading it then would crash."""
    script = (
        "import gc, sys\n"
        "from qplane_cext.switch.core import Pipeline, SwitchCore\n"
        "text = open(sys.argv[1], 'rb').read()\n"
        "for _ in range(20):\n"
        "    core = SwitchCore()\n"
        "    core.commit(Pipeline(text))\n"
        "    core.on_log(core.process)\n"
        "    del core\n"
        "    gc.collect()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(PROGRAMS / "tables.json")],
        env=os.environ
        | {
            "PYTHONMALLOC": "malloc",
            "MALLOC_PERTURB_": "85",
            "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
