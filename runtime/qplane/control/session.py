"""One switch as its P4Runtime client sees it: arbitration, pipeline, writes, reads, packets.

Built on finsy's P4Client, schema and entities. finsy's own Switch is made for programs that react
to one switch each and reconnect for ever; a change over many switches needs the error of each
request at the place where it was made, and no packet-in may be dropped because a queue is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import finsy as fy
from finsy.grpcutil import GRPCStatusCode
from finsy.p4client import P4Client, P4ClientError
from finsy.proto import U128, p4r

from qplane.control.entries import Entry, from_finsy
from qplane.control.errors import (
    ArbitrationError,
    ConnectionFailedError,
    ControlError,
    Failure,
    PipelineError,
)

ANSWER_TIMEOUT_S = 10.0
"""How long a switch may take to answer the first message of a stream; finsy waits as long for
every request."""

BATCH = 200
"""Updates in one request: so many errors still fit into the 64 KiB of metadata that finsy takes."""


@dataclass(frozen=True, slots=True)
class Update:
    """INSERT, MODIFY or DELETE of an entry; `before` is what stood there (MODIFY, DELETE)."""

    operation: p4r.Update.Type.ValueType
    entry: Entry
    before: Entry | None = None

    @classmethod
    def insert(cls, entry: Entry) -> Update:
        return cls(p4r.Update.INSERT, entry)

    @classmethod
    def modify(cls, before: Entry, entry: Entry) -> Update:
        return cls(p4r.Update.MODIFY, entry, before)

    @classmethod
    def delete(cls, entry: Entry) -> Update:
        return cls(p4r.Update.DELETE, entry, entry)

    @property
    def operation_name(self) -> str:
        return str(p4r.Update.Type.Name(self.operation))

    @property
    def is_delete(self) -> bool:
        return self.operation == p4r.Update.DELETE

    def inverse(self) -> Update:
        """What undoes it."""
        if self.before is None:
            return Update.delete(self.entry)
        if self.is_delete:
            return Update.insert(self.before)
        return Update.modify(self.entry, self.before)


@dataclass(frozen=True)
class Outcome:
    """What became of a list of updates: done, refused, or unknown as the switch did not answer."""

    done: tuple[Update, ...] = ()
    failures: tuple[Failure, ...] = ()
    unknown: tuple[Update, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.done + other.done, self.failures + other.failures, self.unknown + other.unknown
        )


PacketHandler = Callable[[str, int, bytes], Awaitable[None]]
"""Called with the node, the port where the packet came in, and the packet."""


class Session:
    """The connection to one switch. `packet_ins` and `packet_outs` count those dealt with."""

    def __init__(
        self,
        node: str,
        address: str,
        device_id: int,
        schema: fy.P4Schema,
        *,
        election_id: int,
        on_packet: PacketHandler,
        on_error: Callable[[ControlError], None],
    ) -> None:
        self.node = node
        self.packet_ins = 0
        self.packet_outs = 0
        self._address = address
        self._device_id = device_id
        self._schema = schema
        self._election_id = election_id
        self._on_packet = on_packet
        self._on_error = on_error
        self._client = P4Client(address, wait_for_ready=False)
        self._receiver: asyncio.Task[None] | None = None
        self._lost: ControlError | None = self._no_connection()  # None: we are primary

    @property
    def is_primary(self) -> bool:
        """Whether packet-ins come here, and writes and packet-outs are allowed."""
        return self._lost is None

    # ---- connection ----

    async def open(self) -> None:
        """Become the switch's primary, anew if need be.

        Raises ConnectionFailedError, ArbitrationError.
        """
        await self.close()
        await self._client.open(schema=self._schema, complete_request=self._complete)
        try:
            await asyncio.wait_for(self._arbitrate(), ANSWER_TIMEOUT_S)
        except asyncio.TimeoutError:  # not the built-in one before Python 3.11
            await self._client.close()
            raise ConnectionFailedError(
                f"the switch at {self._address} did not answer within {ANSWER_TIMEOUT_S:g} s",
                node=self.node,
            ) from None
        except BaseException:
            await self._client.close()
            raise
        self._lost = None
        self._receiver = asyncio.create_task(self._receive(), name=f"p4runtime {self.node}")

    async def _arbitrate(self) -> None:
        answer = await self._bid()
        if answer.status.code == GRPCStatusCode.NOT_FOUND:
            # No primary, and one before us had a higher id: the switch wants at least that.
            self._election_id = U128.decode(answer.election_id)
            answer = await self._bid()
        if answer.status.code != GRPCStatusCode.OK:
            raise self._not_primary(U128.decode(answer.election_id))

    async def _bid(self) -> p4r.MasterArbitrationUpdate:
        bid = p4r.MasterArbitrationUpdate(
            device_id=self._device_id, election_id=U128.encode(self._election_id)
        )
        try:
            await self._client.send(p4r.StreamMessageRequest(arbitration=bid))
            while True:
                message = await self._client.receive()
                if message.WhichOneof("update") == "arbitration":
                    return message.arbitration
        except P4ClientError as error:
            if error.is_election_id_used:
                raise self._not_primary(self._election_id) from error
            raise self._failed(error) from error
        except (RuntimeError, asyncio.InvalidStateError) as error:  # the stream ended
            raise ConnectionFailedError(
                f"the switch at {self._address} closed the stream", node=self.node
            ) from error

    async def push_pipeline(self) -> None:
        """Give the switch the P4 program; its tables are empty then. Raises PipelineError."""
        self._check()
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=self._device_id,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=self._schema.get_pipeline_config(),
        )
        try:
            await self._client.request(request)
        except P4ClientError as error:
            raise PipelineError(
                f"the P4 program was refused: {_code(error)}: {error.message}", node=self.node
            ) from error

    async def close(self) -> None:
        """End the stream; the switch loses its primary."""
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
            self._receiver = None
        self._lost = self._no_connection()
        await self._client.close()

    # ---- requests ----

    async def write(self, updates: Sequence[Update], *, to_the_end: bool = False) -> Outcome:
        """Apply updates in order; the outcome says which were refused.

        What comes after a refused batch is left out, unless `to_the_end`.
        """
        total = Outcome()
        for start in range(0, len(updates), BATCH):
            total += await self._write_batch(updates[start : start + BATCH])
            if total.failures and not to_the_end:
                break
        return total

    async def _write_batch(self, batch: Sequence[Update]) -> Outcome:
        if self._lost is not None:
            return Outcome(
                failures=(_failure(self.node, batch[0], "UNAVAILABLE", self._lost.problem),)
            )
        try:
            request = self._write_request(batch)
        except ValueError as error:  # finsy: the P4 program has no such table, field, action
            return Outcome(
                failures=(_failure(self.node, batch[0], "INVALID_ARGUMENT", str(error)),)
            )
        try:
            await self._client.request(request)
        except P4ClientError as error:
            return self._refused(batch, error)
        return Outcome(done=tuple(batch))

    def _write_request(self, updates: Iterable[Update]) -> p4r.WriteRequest:
        return p4r.WriteRequest(
            device_id=self._device_id,
            updates=[
                p4r.Update(
                    type=update.operation, entity=update.entry.to_finsy().encode(self._schema)
                )
                for update in updates
            ],
        )

    def _refused(self, batch: Sequence[Update], error: P4ClientError) -> Outcome:
        if error.details:
            return Outcome(
                done=tuple(u for place, u in enumerate(batch) if place not in error.details),
                failures=tuple(
                    _failure(self.node, batch[place], detail.canonical_code.name, detail.message)
                    for place, detail in sorted(error.details.items())
                ),
            )
        failure = _failure(self.node, batch[0], _code(error), error.message)
        unknown = () if error.code in _NOTHING_DONE else tuple(batch)
        return Outcome(failures=(failure,), unknown=unknown)

    async def read(self) -> list[Entry]:
        """All table entries and multicast groups, default entries excepted.

        A switch that another controller has taken over can still be read.
        """
        wanted = [fy.P4TableEntry(), fy.P4MulticastGroupEntry()]
        return [from_finsy(entity) for entity in await self._read(wanted)]

    async def read_counters(self, name: str) -> dict[int, int]:
        """Packets counted by each index of a counter array that is not 0."""
        cells = await self._read([fy.P4CounterEntry(name)])
        return {cell.index: cell.packet_count for cell in cells if cell.packet_count}

    async def _read(self, wanted: Iterable[Any]) -> list[Any]:
        request = p4r.ReadRequest(
            device_id=self._device_id,
            entities=[entity.encode(self._schema) for entity in wanted],
        )
        if self._receiver is None:
            raise self._no_connection()
        entities = []
        try:
            async for response in self._client.request_iter(request):
                entities += [fy.p4entity.decode_entity(e, self._schema) for e in response.entities]
        except P4ClientError as error:
            raise self._failed(error) from error
        return entities

    async def packet_out(self, port: int, packet: bytes) -> None:
        """Send a packet out of a port of the switch. Raises ConnectionFailedError."""
        self._check()
        message = fy.P4PacketOut(packet, egress_port=port, pad=0)
        try:
            await self._client.send(message.encode_update(self._schema))
        except P4ClientError as error:
            raise self._failed(error) from error
        self.packet_outs += 1

    # ---- the stream ----

    async def _receive(self) -> None:
        try:
            while True:
                message = await self._client.receive()
                kind = message.WhichOneof("update")
                if kind == "packet":
                    packet = fy.P4PacketIn.decode(message, self._schema)
                    await self._on_packet(self.node, packet["ingress_port"], packet.payload)
                    self.packet_ins += 1
                elif kind == "arbitration" and message.arbitration.status.code != GRPCStatusCode.OK:
                    raise self._not_primary(U128.decode(message.arbitration.election_id))
                elif kind == "error":
                    self._on_error(_stream_error(self.node, message.error))
        except P4ClientError as error:
            self._lose(self._failed(error))
        except ControlError as error:
            self._lose(error)
        except RuntimeError:  # finsy's word for the end of the stream
            self._lose(ConnectionFailedError("the switch closed the stream", node=self.node))
        except Exception as error:
            # A flaw of ours: whoever waits for an answer must hear of it, not wait in vain.
            self._lose(ControlError(f"a packet-in could not be handled: {error!r}", node=self.node))
            raise

    def _lose(self, error: ControlError) -> None:
        self._lost = error
        self._on_error(error)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _complete(self, request: Any) -> None:
        if not isinstance(request, p4r.ReadRequest):
            request.election_id.CopyFrom(U128.encode(self._election_id))

    def _no_connection(self) -> ConnectionFailedError:
        return ConnectionFailedError("there is no connection to the switch", node=self.node)

    def _not_primary(self, primary: int) -> ArbitrationError:
        return ArbitrationError(
            f"another controller is the primary of the switch (election id {primary}, "
            f"ours {self._election_id})",
            node=self.node,
        )

    def _failed(self, error: P4ClientError) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"the switch at {self._address} failed a request: {_code(error)}: {error.message}",
            node=self.node,
        )


_NOTHING_DONE = frozenset(
    {
        GRPCStatusCode.NOT_FOUND,
        GRPCStatusCode.PERMISSION_DENIED,
        GRPCStatusCode.FAILED_PRECONDITION,
        GRPCStatusCode.INVALID_ARGUMENT,
        GRPCStatusCode.UNIMPLEMENTED,
        GRPCStatusCode.UNAUTHENTICATED,
    }
)
"""Whole-request errors with which a switch says that it did not begin."""


def _stream_error(node: str, error: p4r.StreamError) -> ControlError:
    code = GRPCStatusCode(error.canonical_code).name
    return ControlError(f"a packet-out was refused: {code}: {error.message}", node=node)


def _code(error: P4ClientError) -> str:
    return str(error.code.name)


def _failure(node: str, update: Update, code: str, message: str) -> Failure:
    return Failure(
        node, update.operation_name, update.entry.table, str(update.entry), code, message
    )
