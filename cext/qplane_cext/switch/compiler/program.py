"""A whole JSON file compiled: code, and the tables that describe headers, keys and objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import PipelineError
from .control import Action, ControlCompiler, Profile, Table, action_data
from .emitter import Emitter, Label, Op
from .layout import Field, Json, Layout, limbs, where
from .nodes import as_bool, field_node, hexstr
from .parsing import ParserCompiler, Select, ValueSet
from .primitives import TRACE_ACTION, Message, Names, Primitives

MAX_ARRAY_BYTES = 1 << 36  # of a register, counter or meter array
CORE_ERRORS = ("NoError", "PacketTooShort", "NoMatch", "StackOutOfBounds", "HeaderTooShort",
               "ParserTimeout", "ParserInvalidArgument")  # fmt: skip
ALGORITHMS = (
    "csum16", "crc16", "crc32", "xor16", "identity", "random", "crc16_custom", "crc32_custom",
    "cksum16", "crcCCITT", "crc8_custom", "crc64_custom", "xor32", "xxh64", "round_robin",
)  # fmt: skip

# Inputs of a calculation.
IN_FIELD, IN_CONST, IN_HEADER, IN_VARBIT, IN_PAYLOAD = range(5)

STANDARD = (
    ("standard_metadata", "ingress_port"), ("standard_metadata", "packet_length"),
    ("standard_metadata", "instance_type"), ("standard_metadata", "egress_spec"),
    ("standard_metadata", "egress_port"), ("standard_metadata", "parser_error"),
    ("standard_metadata", "checksum_error"), ("intrinsic_metadata", "ingress_global_timestamp"),
    ("intrinsic_metadata", "egress_global_timestamp"), ("intrinsic_metadata", "mcast_grp"),
    ("intrinsic_metadata", "egress_rid"), ("intrinsic_metadata", "priority"),
    ("queueing_metadata", "enq_timestamp"), ("queueing_metadata", "enq_qdepth"),
    ("queueing_metadata", "deq_timedelta"), ("queueing_metadata", "deq_qdepth"),
    ("queueing_metadata", "qid"),
)  # fmt: skip
REQUIRED = ("ingress_port", "packet_length", "instance_type", "egress_spec", "egress_port")


@dataclass(slots=True)
class Array:
    """A register, counter or meter array."""

    name: str
    index: int
    size: int
    bits: int = 0
    unit: str = ""
    direct: bool = False
    table: str | None = None


@dataclass(slots=True)
class Calculation:
    name: str
    algorithm: int  # index into ALGORITHMS
    inputs: list[tuple[int, int, int, int]]  # (kind, slot or header id, bits, header id or -1)


@dataclass(slots=True)
class Checksum:
    calculation: int
    header: int
    slot: int
    bits: int
    condition: Label | None  # code that leaves its answer in `answer`
    answer: int  # slot of the condition's truth, -1 without a condition
    verify: bool
    update: bool


@dataclass(slots=True)
class Digest:
    name: str
    id: int
    fields: list[tuple[int, int, int]]  # (slot, bits, limbs)


@dataclass(slots=True)
class Program:
    """What the engine needs, and the names that the control plane uses."""

    name: str
    layout: Layout
    words: int
    param_slot: int
    drop_port_slot: int
    after_drop_port_slot: int
    scratch_slot: int
    image: dict[int, int]
    code: list[tuple[int, int, int, int, int, int]]
    parser: Label
    ingress: Label
    egress: Label
    deparser_code: Label
    deparser_order: list[int]
    errors: dict[str, int]
    enums: dict[str, dict[str, int]]
    standard: list[tuple[int, int]]  # (slot, bits) of each of STANDARD; (scratch, 64) if absent
    has_queueing: bool
    actions: list[Action]
    tables: list[Table]
    profiles: list[Profile]
    registers: list[Array]
    counters: list[Array]
    meters: list[Array]
    calculations: list[Calculation]
    checksums: list[Checksum]
    field_lists: dict[int, list[tuple[int, int]]]  # id -> (slot, limbs)
    digests: list[Digest]
    selects: list[Select]
    value_sets: list[ValueSet]
    messages: list[Message]
    sources: list[tuple[str, str]]
    state_names: list[str] = field(default_factory=list)
    conditions: list[tuple[str, str]] = field(default_factory=list)
    actions_by_id: dict[int, Action] = field(init=False)

    def __post_init__(self) -> None:
        self.actions_by_id = {action.id: action for action in self.actions}


def compile_json(text: bytes, *, traced: bool = False) -> Program:
    """The program of a BMv2 JSON file. Raises PipelineError and nothing else."""
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PipelineError(f"not JSON: {error}") from None
    if not isinstance(root, dict):
        raise PipelineError("not a BMv2 JSON: the top level is no object")
    try:
        return _Compiler(root, traced=traced).program()
    except PipelineError:
        raise
    except (
        KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError, OverflowError,
    ) as error:  # fmt: skip
        raise PipelineError(f"malformed BMv2 JSON: {type(error).__name__}: {error}") from error


class _Compiler:
    def __init__(self, root: Json, *, traced: bool) -> None:
        _check_version(root)
        if root.get("extern_instances"):
            one = root["extern_instances"][0]
            raise PipelineError(
                f"extern instance {one.get('name')!r} of type {one.get('type')!r}{where(one)} "
                "is not supported"
            )
        self.root = root
        self.layout = Layout(root)
        widths = [_action_bits(item) for item in root["actions"]]
        params = max((sum(map(limbs, bits)) for bits in widths), default=0)
        self.emit = Emitter(self.layout, params)
        self.names = Names()
        self.calculations: list[Calculation] = []
        self.registers = self._registers()
        self.counters = self._counters()
        self.meters, self.direct_meters = self._meters()
        for item in root.get("calculations", ()):
            index = self._calculation(item["name"], item)
            self.names.calculations[item["name"]] = index
        self.primitives = Primitives(self.layout, self.emit, self.names, traced=traced)
        self.actions = [
            Action(item["name"], item["id"], i, bits, Label(), where(item))
            for i, (item, bits) in enumerate(zip(root["actions"], widths, strict=True))
        ]

    def program(self) -> Program:
        root, emit = self.root, self.emit
        self.errors = self._errors()
        value_sets = {
            item["name"]: ValueSet(item["name"], i, int(item["compressed_bitwidth"]))
            for i, item in enumerate(root.get("parse_vsets", ()))
        }
        selects: list[Select] = []
        parser = ParserCompiler(self.layout, emit, self.primitives, selects, value_sets)
        parser_start = parser.compile(_named(root["parsers"], "parser", "parser"))
        bodies = [item["primitives"] for item in root["actions"]]
        control = ControlCompiler(
            self.layout, emit, self.primitives, self.actions, bodies, self.direct_meters,
            self._calculation,
        )  # fmt: skip
        ingress = control.compile(_named(root["pipelines"], "ingress", "pipeline"))
        egress = control.compile(_named(root["pipelines"], "egress", "pipeline"))
        self._action_bodies(control)
        checksums = [self._checksum(item) for item in root.get("checksums", ())]
        deparser = _named(root["deparsers"], "deparser", "deparser")
        deparser_code = emit.label()
        if deparser.get("primitives"):
            self.primitives.body(deparser["primitives"], "deparser")
        emit.op(Op.END)
        self._mark_direct(control.tables)
        starts = [parser_start, ingress, egress, deparser_code]
        labels = [*starts, *_labels(self.actions, control.tables, selects, checksums)]
        code = emit.finish(labels)
        return Program(
            name=str(root.get("program", "")), layout=self.layout, words=emit.words,
            param_slot=emit.param_slot, drop_port_slot=emit.drop_port,
            after_drop_port_slot=emit.after_drop_port, scratch_slot=emit.scratch,
            image=emit.image, code=code, parser=parser_start, ingress=ingress,
            egress=egress, deparser_code=deparser_code,
            deparser_order=[self.layout.header(name).id for name in deparser["order"]],
            errors=self.errors, enums=_enums(root), standard=self._standard(),
            has_queueing=self._has_queueing(),
            actions=self.actions, tables=control.tables, profiles=control.profiles,
            registers=self.registers, counters=self.counters, meters=self.meters,
            calculations=self.calculations, checksums=checksums,
            field_lists=self._field_lists(), digests=self._digests(), selects=selects,
            value_sets=list(value_sets.values()), messages=self.primitives.messages,
            sources=self.primitives.sources, state_names=parser.state_names,
            conditions=control.conditions,
        )  # fmt: skip

    # ---- arrays ----

    def _registers(self) -> list[Array]:
        arrays = []
        for item in self.root.get("register_arrays", ()):
            bits = int(item["bitwidth"])
            if not 0 < bits <= 1 << 16:
                raise PipelineError(f"register {item['name']!r} has the width {bits}{where(item)}")
            array = Array(item["name"], len(arrays), _size(item, 8 * limbs(bits)), bits)
            _add(self.names.registers, array.name, (array.index, bits), "register arrays")
            arrays.append(array)
        return arrays

    def _counters(self) -> list[Array]:
        arrays = []
        for item in self.root.get("counter_arrays", ()):
            array = Array(item["name"], len(arrays), _size(item, 16), unit="both")
            array.direct = bool(item.get("is_direct"))
            array.table = item.get("binding") if array.direct else None
            if not array.direct:
                _add(self.names.counters, array.name, array.index, "counter arrays")
            arrays.append(array)
        return arrays

    def _meters(self) -> tuple[list[Array], dict[str, tuple[int, int, bool]]]:
        arrays: list[Array] = []
        direct: dict[str, tuple[int, int, bool]] = {}
        for item in self.root.get("meter_arrays", ()):
            if item["type"] not in ("packets", "bytes"):
                raise PipelineError(f"meter {item['name']!r} has the type {item['type']!r}")
            if int(item.get("rate_count", 2)) != 2:
                raise PipelineError(
                    f"meter {item['name']!r}{where(item)} has {item['rate_count']} rates; "
                    "only two-rate meters are supported"
                )
            array = Array(item["name"], len(arrays), _size(item, 96), unit=item["type"])
            array.direct = bool(item.get("is_direct"))
            if array.direct:
                slot, _ = self.layout.field(item["result_target"])
                array.table = item.get("binding")
                direct[array.name] = (array.index, slot, item["type"] == "bytes")
            else:
                _add(self.names.meters, array.name, array.index, "meter arrays")
            arrays.append(array)
        return arrays, direct

    def _mark_direct(self, tables: list[Table]) -> None:
        for table in tables:
            if table.meter >= 0:
                self.meters[table.meter].table = table.name

    # ---- calculations and checksums ----

    def _calculation(self, name: str, item: Json) -> int:
        if item["algo"] not in ALGORITHMS:
            raise PipelineError(
                f"calculation {name!r}{where(item)}: algorithm {item['algo']!r} is not supported"
            )
        inputs: list[tuple[int, int, int, int]] = []
        payload = False
        for one in item["input"]:
            kind, value = one["type"], one.get("value")
            if kind == "payload":
                payload = True
            elif kind == "hexstr":
                bits = int(one["bitwidth"])
                if not 0 < bits <= 1 << 16:
                    raise PipelineError(f"calculation {name!r} has an input of {bits} bits")
                number = hexstr(value) & ((1 << bits) - 1)
                inputs.append((IN_CONST, self.emit.const(number, limbs(bits)), bits, -1))
            elif kind == "header":
                inputs.append((IN_HEADER, self.layout.header(value).id, 0, -1))
            elif kind == "field":
                inputs.append(self._field_input(value))
            else:
                raise PipelineError(f"calculation {name!r}: input type {kind!r} is not supported")
        if payload:
            inputs.append((IN_PAYLOAD, 0, 0, -1))
        self.calculations.append(Calculation(name, ALGORITHMS.index(item["algo"]), inputs))
        return len(self.calculations) - 1

    def _field_input(self, value: list[str]) -> tuple[int, int, int, int]:
        slot, one = self.layout.field(value)
        header = self.layout.header(value[0])
        guard = -1 if header.metadata else header.id
        if one.varbit:
            return (IN_VARBIT, slot, 0, guard)
        return (IN_FIELD, slot, one.bits, guard)

    def _checksum(self, item: Json) -> Checksum:
        name = item["name"]
        if item["type"] != "generic":
            raise PipelineError(f"checksum {name!r}: type {item['type']!r} is not supported")
        if item["calculation"] not in self.names.calculations:
            raise PipelineError(f"checksum {name!r}: unknown calculation {item['calculation']!r}")
        header = self.layout.header(item["target"][0])
        slot, one = self.layout.field(item["target"])
        if one.varbit or one.words > 1:
            raise PipelineError(f"checksum {name!r}: the target is wider than 64 bits")
        condition, answer = None, -1
        given = item.get("if_cond")
        if given is not None:
            node = as_bool(self.primitives.builder.build(given))
            if node.op != "const" or not node.value:
                start = self.emit.label()
                answer = self.primitives.generate.word(node)
                if len(self.emit.code) > start.pc:  # more than looking at a word
                    condition = start
                    self.emit.op(Op.END)
                self.emit.release()
        return Checksum(
            self.names.calculations[item["calculation"]],
            -1 if header.metadata else header.id, slot, one.bits, condition, answer,
            bool(item.get("verify", True)), bool(item.get("update", True)),
        )  # fmt: skip

    # ---- the rest ----

    def _action_bodies(self, control: ControlCompiler) -> None:
        """The code of all actions, but for those that only run in place of a table."""
        unused = control.in_place - control.called
        for action, item in zip(self.actions, self.root["actions"], strict=True):
            self.emit.place(action.label)
            if action.index not in unused:
                self._action_body(action, item["primitives"])
            self.emit.op(Op.RET)

    def _action_body(self, action: Action, calls: list[Json]) -> None:
        slot = self.emit.param_slot
        params = []
        for i, one in enumerate(action.bits):
            params.append(
                field_node(slot, Field(f"parameter {i}", one, False, False, 0, limbs(one)))
            )
            slot += limbs(one)
        self.primitives.builder.params = params
        self.primitives.body(calls, f"action {action.name!r}{action.source}")
        self.primitives.builder.params = []

    def _errors(self) -> dict[str, int]:
        """Numbers of the core errors: the JSON's, or free ones for those that it does not list."""
        numbers = {name: int(number) for name, number in self.root.get("errors", ())}
        used = set(numbers.values())
        for name in CORE_ERRORS:
            if name not in numbers:
                numbers[name] = next(i for i in range(len(used) + 1) if i not in used)
                used.add(numbers[name])
        return numbers

    def _standard(self) -> list[tuple[int, int]]:
        places = []
        for header, name in STANDARD:
            found = self.layout.alias(header, name)
            if found is None and name in REQUIRED:
                raise PipelineError(f"the program has no field {header}.{name}")
            if found is not None and (found[1].varbit or found[1].words > 1):
                raise PipelineError(f"{header}.{name} is wider than 64 bits")
            places.append((self.emit.scratch, 64) if found is None else (found[0], found[1].bits))
        return places

    def _has_queueing(self) -> bool:
        names = ("enq_timestamp", "enq_qdepth", "deq_timedelta", "deq_qdepth")
        return all(self.layout.alias("queueing_metadata", name) is not None for name in names)

    def _field_lists(self) -> dict[int, list[tuple[int, int]]]:
        lists: dict[int, list[tuple[int, int]]] = {}
        for item in self.root.get("field_lists", ()):
            places = []
            for one in item["elements"]:
                if one["type"] != "field":
                    continue  # a constant has nowhere to be copied to
                slot, found = self.layout.field(one["value"])
                places.append((slot, found.words))
            lists[int(item["id"])] = places
        return lists

    def _digests(self) -> list[Digest]:
        digests = []
        for item in self.root.get("learn_lists", ()):
            if not isinstance(item["name"], str):
                raise PipelineError(f"a digest's name is no string: {item['name']!r}")
            places = []
            for one in item["elements"]:
                if one["type"] != "field":
                    raise PipelineError(
                        f"digest {item['name']!r}: element type {one['type']!r} is not supported"
                    )
                slot, found = self.layout.field(one["value"])
                if found.varbit:
                    raise PipelineError(f"digest {item['name']!r} has a varbit field")
                places.append((slot, found.bits, found.words))
            digests.append(Digest(item["name"], int(item["id"]), places))
        return digests


def _labels(
    actions: list[Action], tables: list[Table], selects: list[Select], checksums: list[Checksum]
) -> Iterator[Label]:
    """All labels that tables of the program, not instructions, refer to."""
    yield from (action.label for action in actions)
    for table in tables:
        yield from table.next_by_action.values()
        yield table.next_default
        if table.next_hit is not None:
            yield table.next_hit
        if table.next_miss is not None:
            yield table.next_miss
    for select in selects:
        yield select.default
        yield from (case.target for case in select.cases)
    yield from (one.condition for one in checksums if one.condition is not None)


def _enums(root: Json) -> dict[str, dict[str, int]]:
    return {
        item["name"]: {str(name): int(number) for name, number in item["entries"]}
        for item in root.get("enums", ())
    }


def _check_version(root: Json) -> None:
    version = root.get("__meta__", {}).get("version")
    if version is not None and (len(version) != 2 or version[0] != 2):
        raise PipelineError(f"BMv2 JSON version {version} is not supported, only 2.x")


def _action_bits(item: Json) -> list[int]:
    bits = [int(one["bitwidth"]) for one in item["runtime_data"]]
    if any(not 0 <= one <= 1 << 16 for one in bits):
        raise PipelineError(f"action {item['name']!r}{where(item)} has a parameter of absurd width")
    return bits


def _named(items: list[Json], name: str, kind: str) -> Any:
    for item in items:
        if item["name"] == name:
            return item
    raise PipelineError(f"the JSON has no {kind} named {name!r}")


def _size(item: Json, element_bytes: int) -> int:
    size = int(item.get("size", 0))
    if size < 0 or size * element_bytes > MAX_ARRAY_BYTES:
        raise PipelineError(f"array {item['name']!r}{where(item)} has the size {size}")
    return size


def _add(table: dict[str, Any], name: str, value: Any, kind: str) -> None:
    if name in table:
        raise PipelineError(f"two {kind} are named {name!r}")
    table[name] = value


__all__ = ["ALGORITHMS", "STANDARD", "TRACE_ACTION", "Program", "action_data", "compile_json"]
