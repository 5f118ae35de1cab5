"""A P4Info made from the compiled program alone, for use without the compiler's own."""

from __future__ import annotations

from finsy.proto import p4i

from qplane_cext.switch.core import Pipeline

_KINDS = {
    "exact": p4i.MatchField.EXACT,
    "lpm": p4i.MatchField.LPM,
    "ternary": p4i.MatchField.TERNARY,
    "range": p4i.MatchField.RANGE,
}


def derive_p4info(pipeline: Pipeline) -> p4i.P4Info:
    """Tables, actions, profiles, counters, meters and registers with ids of our own.

    Parameter names, scopes and annotations are not in the program; ids are stable only for one
    program, so this is for use inside one process.
    """
    info = p4i.P4Info()
    next_id = iter(range(1, 1 << 24))
    action_ids: dict[str, int] = {}
    for name, variants in pipeline.actions.items():
        action = info.actions.add()
        action.preamble.id = action_ids[name] = next(next_id)
        action.preamble.name = name
        for position, bitwidth in enumerate(variants[0].param_bitwidths, 1):
            action.params.add(id=position, name=str(position), bitwidth=bitwidth)
    profiles: dict[str, p4i.ActionProfile] = {}
    for table in pipeline.tables.values():
        message = info.tables.add(size=table.max_size)
        message.preamble.id, message.preamble.name = next(next_id), table.name
        for position, key in enumerate(table.keys, 1):
            message.match_fields.add(
                id=position, name=key.name, bitwidth=key.bitwidth, match_type=_KINDS[key.kind]
            )
        for name in table.actions:
            message.action_refs.add(id=action_ids[name])
        if table.support_timeout:
            message.idle_timeout_behavior = p4i.Table.NOTIFY_CONTROL
        message.is_const_table = table.has_const_entries
        if table.profile is not None:
            if table.profile not in profiles:
                profile = profiles[table.profile] = info.action_profiles.add()
                profile.preamble.id, profile.preamble.name = next(next_id), table.profile
                profile.with_selector = table.implementation == "indirect_ws"
            profiles[table.profile].table_ids.append(message.preamble.id)
            message.implementation_id = profiles[table.profile].preamble.id
        if table.has_counter:
            direct = info.direct_counters.add(direct_table_id=message.preamble.id)
            direct.preamble.id = next(next_id)
        if table.meter is not None:
            direct_meter = info.direct_meters.add(direct_table_id=message.preamble.id)
            direct_meter.preamble.id = next(next_id)
    for counter in pipeline.counters.values():
        if counter.table is None:
            item = info.counters.add(size=counter.size)
            item.preamble.id, item.preamble.name = next(next_id), counter.name
    for meter in pipeline.meters.values():
        if meter.table is None:
            metered = info.meters.add(size=meter.size)
            metered.preamble.id, metered.preamble.name = next(next_id), meter.name
    for register in pipeline.registers.values():
        cells = info.registers.add(size=register.size)
        cells.preamble.id, cells.preamble.name = next(next_id), register.name
        cells.type_spec.bitstring.bit.bitwidth = register.bitwidth
    return info
