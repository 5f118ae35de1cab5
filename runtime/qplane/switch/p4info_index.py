"""Builds the index of a P4Info, and refuses one that is not its device config's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from finsy.proto import p4i, p4t

from qplane_cext.switch.core import ArrayInfo, DigestInfo, KeyInfo, Pipeline, TableInfo

from .bytestrings import byte_width
from .errors import invalid
from .p4data import ProgramTypes, data_type
from .p4info import (
    Action,
    ActionParam,
    ActionRef,
    Array,
    Digest,
    MatchField,
    MatchKind,
    P4InfoIndex,
    Profile,
    Scope,
    Table,
    ValueSet,
)
from .packet_io import controller_headers

_MATCH_KINDS = {
    p4i.MatchField.EXACT: MatchKind.EXACT,
    p4i.MatchField.LPM: MatchKind.LPM,
    p4i.MatchField.TERNARY: MatchKind.TERNARY,
    p4i.MatchField.RANGE: MatchKind.RANGE,
    p4i.MatchField.OPTIONAL: MatchKind.OPTIONAL,
}
_SCOPES = {scope.value: scope for scope in Scope}


class _Named(Protocol):
    @property
    def preamble(self) -> p4i.Preamble: ...


_Item = TypeVar("_Item", bound=_Named)


def index_p4info(message: p4i.P4Info, pipeline: Pipeline) -> P4InfoIndex:
    """Index a P4Info and check it against the pipeline it came with.

    Raises StatusError(INVALID_ARGUMENT) with the first difference found.
    """
    _check_ids(message)
    packet_in, packet_out = controller_headers(message, pipeline.header_types.values())
    index = P4InfoIndex(message, pipeline, packet_in, packet_out)
    for action in message.actions:
        index.actions[action.preamble.id] = _action(action, pipeline, message.type_info)
    for profile in message.action_profiles:
        index.profiles[profile.preamble.id] = _profile(profile, index, message)
    meters = {meter.direct_table_id: meter for meter in message.direct_meters}
    counters = {counter.direct_table_id: counter for counter in message.direct_counters}
    keyless = [table.name for table in pipeline.tables.values() if not table.keys]
    for table in _live(message.tables, pipeline.tables, "table", own=keyless):
        table_id = table.preamble.id
        index.tables[table_id] = _table(
            table, index, counters.get(table_id), meters.get(table_id), message.type_info
        )
    for counter in _live(message.counters, _indexed(pipeline.counters), "counter"):
        info = _array(pipeline.counters, counter.preamble.name, "counter", counter.size)
        index.counters[counter.preamble.id] = Array(counter.preamble.id, info.name, info.size)
    for meter in _live(message.meters, _indexed(pipeline.meters), "meter"):
        info = _array(pipeline.meters, meter.preamble.name, "meter", meter.size)
        index.meters[meter.preamble.id] = Array(
            meter.preamble.id, info.name, info.size, meter_spec=meter.spec
        )
    for register in _live(message.registers, _indexed(pipeline.registers), "register"):
        index.registers[register.preamble.id] = _register(register, pipeline, message.type_info)
    for value_set in _live(message.value_sets, pipeline.value_sets, "value set"):
        index.value_sets[value_set.preamble.id] = _value_set(value_set, pipeline)
    for digest, learned in _digests(message, pipeline):
        index.digests[digest.preamble.id] = _digest(digest, learned, pipeline, message.type_info)
    return index


def _indexed(arrays: Mapping[str, ArrayInfo]) -> list[str]:
    return [info.name for info in arrays.values() if info.table is None]


def _live(
    items: Iterable[_Item], known: Collection[str], kind: str, own: Collection[str] = ()
) -> Iterator[_Item]:
    """The items that the device config has.

    p4c writes the P4Info before it removes what can't be reached, so the device config may lack
    some; but when it has others in their place (but for ``own``, p4c's), it is of another program.
    """
    items = list(items)
    strangers = set(known) - {item.preamble.name for item in items} - set(own)
    for item in items:
        if item.preamble.name in known:
            yield item
        elif strangers:
            raise invalid(
                f"{kind} {item.preamble.name!r} is in the P4Info but not in the device config, "
                f"which has {min(strangers)!r}"
            )


def _check_ids(message: p4i.P4Info) -> None:
    """Every object has an id of its own and a name."""
    groups: Iterable[tuple[str, Iterable[p4i.Preamble]]] = (
        (name, [item.preamble for item in getattr(message, name)])
        for name in (
            "tables", "actions", "action_profiles", "counters", "direct_counters", "meters",
            "direct_meters", "controller_packet_metadata", "value_sets", "registers", "digests",
        )
    )  # fmt: skip
    seen: dict[int, str] = {}
    for group, preambles in groups:
        for preamble in preambles:
            if preamble.id == 0:
                raise invalid(f"P4Info: {group} {preamble.name!r} has no id")
            if preamble.id in seen:
                other = seen[preamble.id]
                raise invalid(f"P4Info: {preamble.name!r} and {other!r} share id {preamble.id:#x}")
            seen[preamble.id] = preamble.name
    if len(message.externs):
        raise invalid(f"P4Info: extern {message.externs[0].extern_type_name!r} is not supported")


def _bitwidth(
    bitwidth: int, type_name: p4t.P4NamedType, types: p4t.P4TypeInfo, core: int, what: str
) -> int:
    """The width values have in P4Runtime messages; checked against the pipeline's.

    A translated type (``@p4runtime_translation``) has the controller's width; this target maps
    its values one to one, so the packet path's width bounds them.
    """
    translated = types.new_types.get(type_name.name) if type_name.name else None
    if translated is not None and translated.HasField("translated_type"):
        return core
    if bitwidth not in (core, 0):  # p4c gives none for an error
        raise invalid(f"{what}: {bitwidth} bits in the P4Info, {core} in the device config")
    return core


def _is_text(type_name: p4t.P4NamedType, types: p4t.P4TypeInfo) -> bool:
    translated = types.new_types.get(type_name.name) if type_name.name else None
    return translated is not None and (
        translated.translated_type.WhichOneof("sdn_type") == "sdn_string"
    )


def _check_width(bitwidth: int, what: str) -> None:
    if bitwidth < 1:
        raise invalid(f"{what}: a width of {bitwidth} bits")


def _action(action: p4i.Action, pipeline: Pipeline, types: p4t.P4TypeInfo) -> Action:
    name = action.preamble.name
    known = pipeline.actions.get(name)
    if not known:
        # p4c drops actions that nothing uses from the JSON; they are only an error where used.
        known = ()
    params = []
    for position, param in enumerate(action.params):
        what = f"action {name!r}, parameter {param.name!r}"
        core = param.bitwidth
        if known:
            widths = known[0].param_bitwidths
            if len(widths) != len(action.params):
                raise invalid(
                    f"action {name!r}: {len(action.params)} parameters in the P4Info, "
                    f"{len(widths)} in the device config"
                )
            core = widths[position]
        width = _bitwidth(param.bitwidth, param.type_name, types, core, what)
        _check_width(width, what)
        params.append(ActionParam(param.id, param.name, width, _is_text(param.type_name, types)))
    positions = {param.id: position for position, param in enumerate(params)}
    if len(positions) != len(params) or 0 in positions:
        raise invalid(f"action {name!r}: parameter ids are not unique and non-zero")
    return Action(action.preamble.id, name, tuple(params), positions)


def _action_refs(
    refs: Iterable[p4i.ActionRef], index: P4InfoIndex, info: TableInfo
) -> dict[int, ActionRef]:
    found = {}
    for ref in refs:
        action = index.actions.get(ref.id)
        if action is None:
            raise invalid(f"table {info.name!r} refers to an action {ref.id:#x} not in the P4Info")
        core_id = info.action_ids.get(action.name)
        if core_id is None:
            raise invalid(f"table {info.name!r}: the device config knows no action {action.name!r}")
        if ref.scope not in _SCOPES:
            raise invalid(f"table {info.name!r}: scope {ref.scope} of an action is not known")
        found[ref.id] = ActionRef(action, _SCOPES[ref.scope], core_id)
    return found


def _profile(profile: p4i.ActionProfile, index: P4InfoIndex, message: p4i.P4Info) -> Profile:
    name = profile.preamble.name
    refs: dict[int, ActionRef] = {}
    for table in message.tables:
        if table.preamble.id not in profile.table_ids:
            continue
        info = index.pipeline.tables.get(table.preamble.name)
        if info is None:
            continue  # see _live
        if info.profile != name:
            raise invalid(
                f"action profile {name!r}: the device config does not use it in table "
                f"{table.preamble.name!r}"
            )
        if (info.implementation == "indirect_ws") != profile.with_selector:
            raise invalid(f"action profile {name!r}: with a selector on one side only")
        refs.update(_action_refs(table.action_refs, index, info))
    semantics = profile.WhichOneof("selector_size_semantics")
    return Profile(
        id=profile.preamble.id,
        name=name,
        with_selector=profile.with_selector,
        size=profile.size,
        max_group_size=profile.max_group_size,
        sum_of_members=semantics == "sum_of_members",
        max_member_weight=profile.sum_of_members.max_member_weight,
        weights_disallowed=profile.weights_disallowed,
        tables=tuple(profile.table_ids),
        actions=refs,
    )


def _match_field(
    match: p4i.MatchField, core: KeyInfo | None, position: int, what: str, types: p4t.P4TypeInfo
) -> MatchField:
    kind = _MATCH_KINDS.get(match.match_type)
    if match.WhichOneof("match") != "match_type" or kind is None:
        raise invalid(f"{what}, field {match.name!r}: match kind is not supported")
    bitwidth = match.bitwidth
    if core is not None:
        if kind.core != core.kind:
            raise invalid(
                f"{what}, field {match.name!r}: {kind.value} in the P4Info, "
                f"{core.kind} in the device config"
            )
        bitwidth = _bitwidth(
            bitwidth, match.type_name, types, core.bitwidth, f"{what}, field {match.name!r}"
        )
    _check_width(bitwidth, f"{what}, field {match.name!r}")
    full = ((1 << bitwidth) - 1).to_bytes(byte_width(bitwidth), "big")
    is_text = _is_text(match.type_name, types)
    return MatchField(match.id, match.name, kind, bitwidth, position, full, is_text)


def _by_id(fields: Iterable[MatchField], what: str) -> dict[int, MatchField]:
    fields = tuple(fields)
    found = {item.id: item for item in fields}
    if len(found) != len(fields) or 0 in found:
        raise invalid(f"{what}: match field ids are not unique and non-zero")
    return found


def _table(
    table: p4i.Table,
    index: P4InfoIndex,
    counter: p4i.DirectCounter | None,
    meter: p4i.DirectMeter | None,
    types: p4t.P4TypeInfo,
) -> Table:
    name = table.preamble.name
    what = f"table {name!r}"
    info = index.pipeline.tables.get(name)
    if info is None:
        raise invalid(f"{what} is in the P4Info but not in the device config")
    if len(table.match_fields) != len(info.keys):
        raise invalid(
            f"{what}: {len(table.match_fields)} match fields in the P4Info, "
            f"{len(info.keys)} in the device config"
        )
    fields = tuple(
        _match_field(match, core, position, what, types)
        for position, (match, core) in enumerate(zip(table.match_fields, info.keys, strict=True))
    )
    if (table.implementation_id != 0) != (info.implementation != "simple"):
        raise invalid(f"{what}: with an action profile on one side only")
    profile = index.profile(table.implementation_id) if table.implementation_id else None
    if (counter is not None) != info.has_counter:
        raise invalid(f"{what}: with a direct counter on one side only")
    if meter is not None and info.meter is None:
        raise invalid(f"{what}: the device config has no direct meter for it")
    actions = _action_refs(table.action_refs, index, info)
    for action, core_id in info.action_ids.items():
        if all(ref.core_id != core_id for ref in actions.values()):
            raise invalid(f"{what}: the P4Info does not list the action {action!r} for it")
    prioritised = (MatchKind.TERNARY, MatchKind.RANGE, MatchKind.OPTIONAL)
    return Table(
        id=table.preamble.id,
        name=name,
        fields=fields,
        fields_by_id=_by_id(fields, what),
        actions=actions,
        by_core_id={ref.core_id: ref for ref in actions.values()},
        needs_priority=any(item.kind in prioritised for item in fields),
        is_const=table.is_const_table,
        is_initial=table.has_initial_entries and not table.is_const_table,
        const_default=table.const_default_action_id != 0 or info.const_default,
        has_timeout=table.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL,
        profile=profile,
        counter=_direct(index.pipeline.counters, name) if counter is not None else None,
        meter=info.meter if meter is not None else None,
        meter_spec=meter.spec if meter is not None else None,
        size=table.size,
    )


def _direct(arrays: Mapping[str, ArrayInfo], table: str) -> str:
    for info in arrays.values():
        if info.table == table:
            return info.name
    raise invalid(f"table {table!r}: the device config has no direct counter for it")


def _array(arrays: Mapping[str, ArrayInfo], name: str, kind: str, size: int) -> ArrayInfo:
    info = arrays.get(name)
    if info is None:
        raise invalid(f"{kind} {name!r} is in the P4Info but not in the device config")
    if info.size != size:
        raise invalid(
            f"{kind} {name!r}: {size} cells in the P4Info, {info.size} in the device config"
        )
    return info


def _register(register: p4i.Register, pipeline: Pipeline, types: p4t.P4TypeInfo) -> Array:
    name = register.preamble.name
    info = _array(pipeline.registers, name, "register", register.size)
    program = ProgramTypes(pipeline, [info.bitwidth])
    of_type = data_type(register.type_spec, types, f"register {name!r}", program)
    if sum(of_type.widths) != info.bitwidth:
        raise invalid(
            f"register {name!r}: {sum(of_type.widths)} bits in the P4Info, "
            f"{info.bitwidth} in the device config"
        )
    return Array(register.preamble.id, name, info.size, type=of_type)


def _value_set(value_set: p4i.ValueSet, pipeline: Pipeline) -> ValueSet:
    name = value_set.preamble.name
    what = f"value set {name!r}"
    widths = pipeline.value_sets.get(name)
    if widths is None:
        raise invalid(f"{what} is in the P4Info but not in the device config")
    fields = tuple(
        _match_field(match, None, position, what, p4t.P4TypeInfo())
        for position, match in enumerate(value_set.match)
    )
    if tuple(item.bitwidth for item in fields) != tuple(widths):
        raise invalid(f"{what}: its fields differ between P4Info and device config")
    return ValueSet(value_set.preamble.id, name, value_set.size, fields, _by_id(fields, what))


def _digests(message: p4i.P4Info, pipeline: Pipeline) -> Iterator[tuple[p4i.Digest, DigestInfo]]:
    """Each digest of the P4Info with its learn list. Those that p4c names itself ("digest_0" here;
    "digest" or "tuple_0", perhaps several times, there) belong together in their order."""
    named = {one.name: one for one in pipeline.digests}
    given = {digest.preamble.name for digest in message.digests}
    left = [digest for digest in message.digests if digest.preamble.name not in named]
    unnamed = [one for one in pipeline.digests if one.name not in given]
    if len(left) != len(unnamed):
        for digest in _live(message.digests, named, "digest"):
            yield digest, named[digest.preamble.name]
        return
    yield from zip(left, unnamed, strict=True)
    for digest in message.digests:
        if digest.preamble.name in named:
            yield digest, named[digest.preamble.name]


def _digest(
    digest: p4i.Digest, info: DigestInfo, pipeline: Pipeline, types: p4t.P4TypeInfo
) -> Digest:
    name = digest.preamble.name
    program = ProgramTypes(pipeline, info.bitwidths)
    of_type = data_type(digest.type_spec, types, f"digest {name!r}", program)
    if of_type.widths != tuple(info.bitwidths):
        raise invalid(f"digest {name!r}: its fields differ between P4Info and device config")
    return Digest(digest.preamble.id, name, info.digest_id, of_type, of_type.widths)
