"""Pushes a pipeline (and the entries of a tutorial's file) to any P4Runtime target."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import finsy as fy
from finsy.grpcutil import GRPCStatusCode
from finsy.p4client import P4Client, P4ClientError
from finsy.proto import U128, p4i, p4r
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from qplane.clock import within
from qplane.p4 import runtime_json
from qplane.p4.sources import P4SourceError, Program
from qplane.p4.sources import load as load_program

ANSWER_TIMEOUT_S = 10.0
"""How long a target may take to answer arbitration."""

_P4INFO_NAMES = (
    "{}.p4info.txtpb", "{}.p4info.txt", "{}.p4.p4info.txtpb", "{}.p4.p4info.txt", "{}.p4info.bin",
)  # fmt: skip


class P4LoadError(Exception):
    """The target can't be reached, or refused something; the message says what and why."""


@dataclass(frozen=True)
class Pipeline:
    """A program and what is written after it was pushed."""

    program: Program
    entities: tuple[Any, ...] = ()


def find(source: str, p4info: Path | None = None) -> Pipeline:
    """What `source` names: a program of the package, a compiled program (NAME.json, with the P4Info
    beside it unless given), or a tutorial's runtime file.

    Raises P4SourceError, RuntimeFileError.
    """
    path = Path(source)
    if path.suffix != ".json":
        if p4info is not None:
            raise P4SourceError(f"{source}: a P4Info is given with a compiled program, NAME.json")
        return Pipeline(load_program(source))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise P4SourceError(f"{path}: {error.strerror}") from error
    try:
        content = json.loads(data)
    except ValueError as error:
        raise P4SourceError(f"{path}: not JSON: {error}") from error
    if runtime_json.is_runtime_file(content):
        if p4info is not None:
            raise P4SourceError(f"{path} names its P4Info itself")
        file = runtime_json.read(path)
        return Pipeline(
            Program(file.json.stem, file.json.read_bytes(), _p4info(file.p4info)), file.entities
        )
    if not isinstance(content, dict) or "pipelines" not in content:
        raise P4SourceError(f"{path}: neither a program compiled for BMv2 nor a runtime file")
    if p4info is None:
        names = [name.format(path.stem) for name in _P4INFO_NAMES]
        found = [path.with_name(name) for name in names if path.with_name(name).is_file()]
        if not found:
            raise P4SourceError(f"{path}: no P4Info beside it ({', '.join(names)}): give one")
        p4info = found[0]
    return Pipeline(Program(path.stem, data, _p4info(p4info)))


def _p4info(path: Path) -> bytes:
    """A P4Info as text, which it need not be in the file."""
    info = p4i.P4Info()
    try:
        data = path.read_bytes()
        if path.suffix == ".bin":
            info.ParseFromString(data)
        else:
            text_format.Parse(data.decode(), info)
    except OSError as error:
        raise P4SourceError(f"{path}: {error.strerror}") from error
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise P4SourceError(f"{path}: not a P4Info: {error}") from error
    return bytes(text_format.MessageToString(info), "utf-8")


def push(pipeline: Pipeline, address: str, device_id: int, election_id: int) -> None:
    """Make the target run the pipeline, from empty tables. Raises P4LoadError."""
    asyncio.run(_push(pipeline, address, device_id, election_id))


async def _push(pipeline: Pipeline, address: str, device_id: int, election_id: int) -> None:
    info = text_format.Parse(pipeline.program.p4info.decode(), p4i.P4Info())
    schema = fy.P4Schema(info, pipeline.program.device_config())
    # Before anything is sent: a mistake in the file leaves the target alone.
    updates = [_update(entity, schema) for entity in pipeline.entities]

    def complete(request: Any) -> None:
        request.election_id.CopyFrom(U128.encode(election_id))

    client = P4Client(address, wait_for_ready=False)
    try:
        await client.open(schema=schema, complete_request=complete)
        await within(_arbitrate(client, device_id, election_id), ANSWER_TIMEOUT_S)
        await client.request(
            p4r.SetForwardingPipelineConfigRequest(
                device_id=device_id,
                action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
                config=schema.get_pipeline_config(),
            )
        )
        if updates:
            await client.request(p4r.WriteRequest(device_id=device_id, updates=updates))
    except TimeoutError:
        raise P4LoadError(f"{address} did not answer within {ANSWER_TIMEOUT_S:g} s") from None
    except P4ClientError as error:
        raise P4LoadError(_explain(error, address, pipeline.entities)) from error
    finally:
        await client.close()


def _update(entity: Any, schema: fy.P4Schema) -> p4r.Update:
    default = isinstance(entity, fy.P4TableEntry) and entity.is_default_action
    try:
        encoded = entity.encode(schema)
    except (ValueError, KeyError) as error:
        raise P4LoadError(f"{entity}: {error}") from error
    return p4r.Update(type=p4r.Update.MODIFY if default else p4r.Update.INSERT, entity=encoded)


async def _arbitrate(client: P4Client, device_id: int, election_id: int) -> None:
    bid = p4r.MasterArbitrationUpdate(device_id=device_id, election_id=U128.encode(election_id))
    await client.send(p4r.StreamMessageRequest(arbitration=bid))
    while (message := await client.receive()).WhichOneof("update") != "arbitration":
        pass
    if message.arbitration.status.code != GRPCStatusCode.OK:
        raise P4LoadError(
            f"another controller is the primary (election id "
            f"{U128.decode(message.arbitration.election_id)}, ours {election_id})"
        )


def _explain(error: P4ClientError, address: str, entities: Sequence[Any]) -> str:
    for place, detail in sorted(error.details.items()):
        code = detail.canonical_code.name
        return f"{address} refused {entities[place]}: {code}: {detail.message}"
    return f"{address}: {error.code.name}: {error.message}"
