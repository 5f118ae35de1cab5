"""SetForwardingPipelineConfig and Get: all actions, and what a bad push leaves behind."""

from __future__ import annotations

import json

import grpc
import pytest
from finsy.proto import p4r

from qplane.switch.device import Device
from qplane.switch.errors import Code, StatusError
from qplane.switch.pipeline_config import load_config
from qplane_cext.switch.core import SwitchCore

from .client import Client, Names, SetRequest, failure, insert
from .conftest import Bench
from .entries import host

GetRequest = p4r.GetForwardingPipelineConfigRequest
Config = p4r.ForwardingPipelineConfig


def get(client: Client, kind: GetRequest.ResponseType.ValueType = GetRequest.ALL) -> Config:
    request = GetRequest(device_id=client.device_id, response_type=kind)
    return client.stub.GetForwardingPipelineConfig(request).config


def copy(config: Config) -> Config:
    new = Config()
    new.CopyFrom(config)
    return new


def test_before_a_push_everything_that_needs_a_pipeline_is_a_failed_precondition(
    bench: Bench,
) -> None:
    client = bench.primary()
    failed = client.write()
    assert failed is not None and failed.code == Code.FAILED_PRECONDITION
    assert client.read_failure(p4r.Entity()).code == Code.FAILED_PRECONDITION
    with pytest.raises(grpc.RpcError) as caught:
        get(client)
    assert failure(caught.value).code == Code.FAILED_PRECONDITION
    assert "No forwarding pipeline config" in failure(caught.value).message


def test_not_found_comes_before_permission_denied_before_failed_precondition(
    bench: Bench, config: Config
) -> None:
    stranger = bench.client()
    assert stranger.write().code == Code.PERMISSION_DENIED
    assert stranger.push(config).code == Code.PERMISSION_DENIED
    assert stranger.write(device_id=9).code == Code.NOT_FOUND
    assert stranger.push(config, device_id=9).code == Code.NOT_FOUND
    assert stranger.push(config, role="x").code == Code.NOT_FOUND
    assert stranger.read_failure(p4r.Entity(), device_id=9).code == Code.NOT_FOUND
    with pytest.raises(grpc.RpcError) as caught:
        stranger.device_id = 9
        get(stranger)
    assert failure(caught.value).code == Code.NOT_FOUND


def test_get_returns_what_was_set_in_every_response_type(bench: Bench, config: Config) -> None:
    client = bench.primary()
    sent = copy(config)
    sent.cookie.cookie = 0x1234
    assert client.push(sent) is None
    assert get(client) == sent
    only = get(client, GetRequest.COOKIE_ONLY)
    assert only == Config(cookie=sent.cookie)
    assert get(client, GetRequest.P4INFO_AND_COOKIE) == Config(
        p4info=sent.p4info, cookie=sent.cookie
    )
    assert get(client, GetRequest.DEVICE_CONFIG_AND_COOKIE) == Config(
        p4_device_config=sent.p4_device_config, cookie=sent.cookie
    )


def test_a_cookie_that_was_not_set_is_not_returned(primary: Client) -> None:
    assert not get(primary).HasField("cookie")


def test_the_wrapper_of_the_p4_tutorials_is_understood(bench: Bench, config: Config) -> None:
    client = bench.primary()
    sent = copy(config)
    payload = sent.p4_device_config
    length = len(payload)
    varint = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
    sent.p4_device_config = b"\x08\x01\x1a" + varint + payload  # reassign: true, device_data
    assert client.push(sent) is None
    assert get(client) == sent


def broken(config: Config, kind: str) -> Config:
    """A configuration that can't be realised."""
    bad = copy(config)
    tables = {table.preamble.name.split(".")[-1]: table for table in bad.p4info.tables}
    program = json.loads(bad.p4_device_config)
    if kind == "no device config":
        bad.p4_device_config = b""
    elif kind == "no P4Info":
        bad.ClearField("p4info")
    elif kind == "malformed JSON":
        bad.p4_device_config = b'{"pipelines": [' + b"x" * 20
    elif kind == "not JSON at all":
        bad.p4_device_config = b"\xff\x00\x01"
    elif kind == "JSON of something else":
        bad.p4_device_config = b"{}"
    elif kind == "table not in JSON":
        tables["hosts"].preamble.name = "IngressImpl.other"
    elif kind == "key width":
        tables["hosts"].match_fields[0].bitwidth = 32
    elif kind == "key kind":
        tables["hosts"].match_fields[0].match_type = 3  # LPM
    elif kind == "number of keys":
        del tables["acl"].match_fields[1]
    elif kind == "parameter width":
        next(action for action in bad.p4info.actions if action.params).params[0].bitwidth += 1
    elif kind == "counter size":
        bad.p4info.counters[0].size += 1
    elif kind == "register width":
        bad.p4info.registers[0].type_spec.bitstring.bit.bitwidth = 31
    elif kind == "two objects with one id":
        tables["hosts"].preamble.id = tables["acl"].preamble.id
    elif kind == "unknown action":
        tables["hosts"].action_refs.add(id=0x1FFFFFF)
    elif kind == "unknown primitive":
        program["actions"][0]["primitives"] = [{"op": "make_coffee", "parameters": []}]
        for action in program["actions"]:
            action["primitives"] = program["actions"][0]["primitives"]
        bad.p4_device_config = json.dumps(program).encode()
    else:
        raise AssertionError(kind)
    return bad


BROKEN = (
    "no device config", "no P4Info", "malformed JSON", "not JSON at all",
    "JSON of something else", "table not in JSON", "key width", "key kind", "number of keys",
    "parameter width", "counter size", "register width", "two objects with one id",
    "unknown action", "unknown primitive",
)  # fmt: skip
ACTIONS = (
    SetRequest.VERIFY, SetRequest.VERIFY_AND_SAVE, SetRequest.VERIFY_AND_COMMIT,
    SetRequest.RECONCILE_AND_COMMIT,
)  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_configuration_is_invalid_and_leaves_pipeline_entries_and_traffic_as_they_were(
    bench: Bench, primary: Client, names: Names, config: Config, kind: str
) -> None:
    entry = host(names, 0xAA, port=3)
    assert primary.write(insert(table_entry=entry)) is None
    packet = bytes.fromhex("0000000000aa 000000000001 1234") + b"payload"
    assert bench.process(1, packet) == [(3, packet)]
    for action in ACTIONS:
        failed = primary.push(broken(config, kind), action)
        assert failed is not None and failed.code == Code.INVALID_ARGUMENT, failed
        assert bench.process(1, packet) == [(3, packet)]
        assert get(primary) == config
        query = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("hosts")))
        assert [item.table_entry for item in primary.read(query)] == [entry]
    assert primary.push(config) is None, "a good push works after bad ones"


def test_verify_changes_nothing(primary: Client, names: Names, config: Config) -> None:
    assert primary.write(insert(table_entry=host(names, 1))) is None
    other = copy(config)
    other.cookie.cookie = 5
    assert primary.push(other, SetRequest.VERIFY) is None
    assert get(primary) == config
    assert (
        len(primary.read(p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("hosts")))))
        == 1
    )


def test_verify_and_commit_clears_the_state(primary: Client, names: Names, config: Config) -> None:
    assert primary.write(insert(table_entry=host(names, 1))) is None
    assert primary.push(config) is None
    assert primary.read(p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("hosts")))) == []


def test_a_saved_configuration_gets_reads_and_writes_but_no_packets_until_committed(
    bench: Bench, primary: Client, names: Names, config: Config
) -> None:
    packet = bytes.fromhex("0000000000aa 000000000001 1234")
    assert primary.write(insert(table_entry=host(names, 0xAA, port=3))) is None
    saved = copy(config)
    saved.cookie.cookie = 7
    assert primary.push(saved, SetRequest.VERIFY_AND_SAVE) is None
    query = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("hosts")))
    assert primary.read(query) == []
    assert primary.write(insert(table_entry=host(names, 0xAA, port=4))) is None
    assert bench.process(1, packet) == [(3, packet)], "the old program still runs"
    assert primary.push(None, SetRequest.COMMIT) is None
    assert bench.process(1, packet) == [(4, packet)]
    assert [item.table_entry for item in primary.read(query)] == [host(names, 0xAA, port=4)]
    assert get(primary) == saved
    failed = primary.push(None, SetRequest.COMMIT)
    assert failed is not None and failed.code == Code.NOT_FOUND


def test_commit_takes_no_configuration_and_needs_a_saved_one(
    primary: Client, config: Config
) -> None:
    failed = primary.push(config, SetRequest.COMMIT)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT
    failed = primary.push(None, SetRequest.COMMIT)
    assert failed is not None and failed.code == Code.NOT_FOUND


@pytest.mark.parametrize("action", [*ACTIONS, SetRequest.UNSPECIFIED, 17])
def test_no_configuration_or_no_action_is_invalid(primary: Client, action: int) -> None:
    failed = primary.push(None, action)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT


def test_reconcile_keeps_everything_that_was_written(
    bench: Bench, primary: Client, names: Names, config: Config
) -> None:
    from .entries import one_of_everything

    for update in one_of_everything(names):
        assert primary.status(update) == Code.OK, update
    packet = bytes.fromhex("0000000000aa 000000000001 1234")
    assert primary.write(insert(table_entry=host(names, 0xAA, port=3))) is None
    bench.process(1, packet)
    before = read_everything(primary)
    other = copy(config)
    other.cookie.cookie = 99
    assert primary.push(other, SetRequest.RECONCILE_AND_COMMIT) is None
    assert read_everything(primary) == before
    assert get(primary) == other
    assert bench.process(1, packet) == [(3, packet)]


def read_everything(client: Client) -> list[bytes]:
    """All state but times, in an order of its own."""
    queries = []
    for kind in p4r.Entity.DESCRIPTOR.oneofs_by_name["entity"].fields:
        query = p4r.Entity()
        getattr(query, kind.name).SetInParent()
        if kind.name == "table_entry":
            query.table_entry.counter_data.SetInParent()
            query.table_entry.meter_config.SetInParent()
        queries.append(query)
    return sorted(item.SerializeToString(deterministic=True) for item in client.read(*queries))


ACTIONS = [
    SetRequest.VERIFY, SetRequest.VERIFY_AND_SAVE, SetRequest.VERIFY_AND_COMMIT,
    SetRequest.RECONCILE_AND_COMMIT,
]  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("where", ["default_entry", "entries"])
def test_an_entry_with_an_action_that_its_table_lacks_is_refused_by_every_action(
    bench: Bench, primary: Client, names: Names, config: Config, action: int, where: str
) -> None:
    wrong = copy(config)
    program = json.loads(wrong.p4_device_config)
    (table,) = (
        table
        for pipeline in program["pipelines"]
        for table in pipeline["tables"]
        if table["name"] == "IngressImpl.hosts"
    )
    stranger = next(
        one for one in program["actions"]
        if one["id"] not in table["action_ids"] and not one["runtime_data"]
    )  # fmt: skip
    if where == "entries":
        key = {"match_type": "exact", "key": "0x000000000001"}
        run = {"action_id": stranger["id"], "action_data": []}
        table["entries"] = [{"match_key": [key], "action_entry": run, "priority": 1}]
    else:
        table["default_entry"] = {"action_id": stranger["id"], "action_data": []}
    wrong.p4_device_config = json.dumps(program).encode()
    failed = primary.push(wrong, action)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT
    assert f"{stranger['name']!r}, which the table lacks" in failed.message
    assert get(primary) == config


def test_verify_finds_entries_that_do_not_go_together(
    bench: Bench, primary: Client, names: Names, config: Config
) -> None:
    wrong = copy(config)
    program = json.loads(wrong.p4_device_config)
    for pipeline in program["pipelines"]:
        for table in pipeline["tables"]:
            if table["name"] == "IngressImpl.hosts":
                key = {"match_type": "exact", "key": "0x000000000001"}
                run = table["default_entry"] | {"action_data": []}
                entry = {"match_key": [key], "action_entry": run, "priority": 1}
                table["entries"] = [entry, entry]
    wrong.p4_device_config = json.dumps(program).encode()
    for action in ACTIONS:
        failed = primary.push(wrong, action)
        assert failed is not None and failed.code == Code.INVALID_ARGUMENT
        assert "has this entry" in failed.message


def test_reconcile_with_a_program_that_lacks_a_table_with_entries_is_refused(
    bench: Bench, primary: Client, names: Names, config: Config
) -> None:
    assert primary.write(insert(table_entry=host(names, 0xAA, port=3))) is None
    lesser = copy(config)
    hosts = names.table("hosts")
    for place, table in enumerate(lesser.p4info.tables):
        if table.preamble.id == hosts:
            del lesser.p4info.tables[place]
            break
    for place, counter in enumerate(lesser.p4info.direct_counters):
        if counter.direct_table_id == hosts:
            del lesser.p4info.direct_counters[place]
            break
    failed = primary.push(lesser, SetRequest.RECONCILE_AND_COMMIT)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT
    assert "can't be preserved" in failed.message
    packet = bytes.fromhex("0000000000aa 000000000001 1234")
    assert bench.process(1, packet) == [(3, packet)]
    assert get(primary) == config


def test_a_configuration_without_memory_for_its_state_exhausts_resources(config: Config) -> None:
    class Small(SwitchCore):
        def commit(self, *_: object, **__: object) -> None:
            raise MemoryError("no memory for the state")

    with pytest.raises(StatusError, match="no memory for the state") as error:
        Device(1, Small(), inject=lambda port, data: None).commit(load_config(config))
    assert error.value.code == Code.RESOURCE_EXHAUSTED
