"""One switch as its P4Runtime client sees it: arbitration, pipeline, writes, reads, packets.

Built on finsy's P4Client, schema and entities. finsy's own Switch is made for programs that react
to one switch each and reconnect for ever; a change over many switches needs the error of each
request at the place where it was made, and no packet-in may be dropped because a queue is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from functools import lru_cache
from typing import Any

import finsy as fy
from finsy.grpcutil import GRPCStatusCode
from finsy.p4client import P4ClientError
from finsy.proto import U128, p4i, p4r

from qplane.clock import within
from qplane.control.client import ANSWER_TIMEOUT_S, NewClient, grpc_client
from qplane.control.encoding import request_of
from qplane.control.entries import (
    GROUP_TABLE,
    CloneSession,
    DigestConfig,
    Entry,
    from_finsy,
)
from qplane.control.errors import (
    ArbitrationError,
    ConnectionFailedError,
    ControlError,
    Failure,
    PipelineError,
)
from qplane.control.telemetry import Reports
from qplane.control.updates import Outcome, Update

NOTICE_TIMEOUT_S = 1.0
"""How much later than the refusal of a request the stream may say why."""

BATCH = 200
"""Updates in one request: so many errors still fit into the 64 KiB of metadata that finsy takes."""

TELEMETRY_COPY = 5
"""Reason of a packet-in that is a sampled copy; its `detail` is the event's number."""

HERALD_COPY = 6
"""Likewise of a station's copy of a REPLY; its `detail` is the station's number of the link."""

PROGRAM_MARK = "pair_in"
"""A table that every version of the node program has, and no other program."""


PacketHandler = Callable[[str, int, bytes], Awaitable[None]]
"""Called with the node, the port where the packet came in, and the packet."""


class Role(Enum):
    """What we are to a switch."""

    AWAY = "away"  # no connection
    BACK_UP = "back-up"  # connected, to look on
    PRIMARY = "primary"  # packet-ins come here; writes and packet-outs are allowed


class Session:
    """The connection to one switch. `packet_ins` and `packet_outs` count those dealt with, on the
    present connection; `sending` those whose senders still wait for gRPC to take them.

    `on_error` is called with what befalls the connection when nobody has asked (lost, taken over,
    a packet-out refused); `on_change` when a back-up hears that the switch has a primary or none;
    `on_exchange`, with the node, when a packet has been given to gRPC or one that came was dealt
    with. `reports` takes what the switch tells without being asked (None: it is not to tell
    anything).
    """

    def __init__(
        self,
        node: str,
        address: str,
        device_id: int,
        schema: fy.P4Schema,
        *,
        on_packet: PacketHandler,
        on_error: Callable[[ControlError], None],
        on_change: Callable[[], None] = lambda: None,
        on_exchange: Callable[[str], None] = lambda node: None,
        reports: Reports | None = None,
        new_client: NewClient = grpc_client,
    ) -> None:
        self.node = node
        self._reports = reports
        self.packet_ins = 0
        self.packet_outs = 0
        self.sending = 0
        self.has_other_primary = False
        self.address = address
        self._device_id = device_id
        self._own_schema = schema
        self._schema = schema  # of the program on the switch
        self._election_id: int | None = None
        self._on_packet = on_packet
        self._on_error = on_error
        self._on_change = on_change
        self._on_exchange = on_exchange
        self._client = new_client(node, address)
        self._receiver: asyncio.Task[None] | None = None
        self._requests = 0
        self._quiet = asyncio.Event()  # no request is under way
        self._quiet.set()
        self._role = Role.AWAY
        self._ended = asyncio.Event()  # the connection was lost, or never was
        self._is_ready = False  # the program stands, so that packets can be sent
        self._sending = asyncio.Lock()  # a stream takes one message at a time
        self._lost: ControlError = self._no_connection()  # why we are away

    @property
    def role(self) -> Role:
        return self._role

    @property
    def is_primary(self) -> bool:
        """Whether packet-ins come here, and writes and packet-outs are allowed."""
        return self._role is Role.PRIMARY

    @property
    def why_away(self) -> ControlError:
        """What befell the connection, or that there never was one."""
        return self._lost

    @property
    def p4info(self) -> p4i.P4Info:
        """Of the program on the switch."""
        return self._schema.p4info

    @property
    def is_foreign(self) -> bool:
        """Whether the switch runs a program of somebody else's, which is left alone."""
        return self._schema is not self._own_schema

    # ---- connection ----

    async def open(self, election_id: int | None) -> None:
        """Become the switch's primary with that id, anew if need be; with None, its back-up.

        Raises ConnectionFailedError, ArbitrationError; there is no connection then.
        """
        await self._quiet.wait()  # gRPC would cancel, without a word, what is under way
        await self.close()
        self.packet_ins = self.packet_outs = 0
        self._is_ready = False
        self._election_id = election_id
        await self._client.open(schema=self._schema, complete_request=self._complete)
        try:
            await within(self._arbitrate(), ANSWER_TIMEOUT_S)
        except TimeoutError:
            await self._client.close()
            raise ConnectionFailedError(
                f"the switch at {self.address} did not answer within {ANSWER_TIMEOUT_S:g} s",
                node=self.node,
            ) from None
        except BaseException:
            await self._client.close()
            raise
        self._ended.clear()
        self._role = Role.BACK_UP if election_id is None else Role.PRIMARY
        self._receiver = asyncio.create_task(self._receive(), name=f"p4runtime {self.node}")

    async def _arbitrate(self) -> None:
        answer = await self._bid()
        if self._election_id is None:
            self.has_other_primary = answer.status.code == GRPCStatusCode.ALREADY_EXISTS
            return
        if answer.status.code == GRPCStatusCode.NOT_FOUND:
            # No primary, and one before us had a higher id: the switch wants at least that.
            self._election_id = U128.decode(answer.election_id)
            answer = await self._bid()
        if answer.status.code != GRPCStatusCode.OK:
            raise self._not_primary(U128.decode(answer.election_id))

    async def _bid(self) -> p4r.MasterArbitrationUpdate:
        bid = p4r.MasterArbitrationUpdate(device_id=self._device_id)
        if self._election_id is not None:
            bid.election_id.CopyFrom(U128.encode(self._election_id))
        try:
            await self._client.send(p4r.StreamMessageRequest(arbitration=bid))
            while True:
                message = await self._client.receive()
                if message.WhichOneof("update") == "arbitration":
                    return message.arbitration
        except P4ClientError as error:
            if error.is_election_id_used:
                raise self._not_primary(self._election_id or 0) from error
            raise self._failed(error) from error
        except (RuntimeError, asyncio.InvalidStateError) as error:  # the stream ended
            raise ConnectionFailedError(
                f"the switch at {self.address} closed the stream", node=self.node
            ) from error

    async def probe(self, timeout_s: float) -> None:
        """Have the other side answer something, whatever it is.

        A peer that is gone without a word (no FIN, no RST) is not noticed otherwise. BMv2's server
        ends connections on which gRPC's own keepalive pings come more often than every 5 minutes.
        Raises ConnectionFailedError if no answer comes in time.
        """
        try:
            with self._under_way():
                request = p4r.CapabilitiesRequest(device_id=self._device_id)
                await within(self._client.request(request), timeout_s)
        except TimeoutError:
            raise ConnectionFailedError(
                f"the switch at {self.address} has not answered for {timeout_s:g} s",
                node=self.node,
            ) from None
        except P4ClientError as error:
            if error.code in (GRPCStatusCode.UNAVAILABLE, GRPCStatusCode.DEADLINE_EXCEEDED):
                raise self._failed(error) from error

    def give_up(self, problem: str) -> None:
        """The other side is gone: the connection counts as lost. One that is lost already stays."""
        if self._role is not Role.AWAY:
            if self._receiver is not None:
                self._receiver.cancel()
            self._lose(ConnectionFailedError(problem, node=self.node))

    async def close(self) -> None:
        """End the stream; the switch loses its primary."""
        self._role = Role.AWAY
        self._ended.set()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)
        self._lost = self._no_connection()
        await self._client.close()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        """A request is being made."""
        self._requests += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._quiet.set()

    # ---- program ----

    async def ensure_program(self, *, keep_others: bool) -> bool:
        """See to it that the switch runs our P4 program; True if it had to be pushed.

        Then tables and registers are empty. With `keep_others`, a program that is not a version of
        ours is left as it is (see `is_foreign`). Raises PipelineError, ConnectionFailedError.
        """
        self._check()
        pushed = await self._ensure(keep_others)
        self._is_ready = True
        return pushed

    async def _ensure(self, keep_others: bool) -> bool:
        request = p4r.GetForwardingPipelineConfigRequest
        standing = await self._program(request.COOKIE_ONLY)
        self._schema = self._own_schema
        if standing is not None:
            if standing.cookie.cookie == self._own_schema.p4cookie:
                return False
            standing = await self._program(request.P4INFO_AND_COOKIE)
        if standing is not None:
            names = {table.preamble.alias for table in standing.p4info.tables}
            if keep_others and PROGRAM_MARK not in names:
                self._schema = fy.P4Schema(standing.p4info)
                return False
        await self._push()
        return True

    async def _program(
        self, wanted: p4r.GetForwardingPipelineConfigRequest.ResponseType.ValueType
    ) -> p4r.ForwardingPipelineConfig | None:
        """What is wanted of the program that the switch runs; None: it runs none."""
        request = p4r.GetForwardingPipelineConfigRequest(
            device_id=self._device_id, response_type=wanted
        )
        try:
            with self._under_way():
                response: Any = await self._client.request(request)
        except P4ClientError as error:
            if error.code == GRPCStatusCode.FAILED_PRECONDITION:
                return None
            raise self._failed(error) from error
        return response.config if response.HasField("config") else None

    async def _push(self) -> None:
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=self._device_id,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=_pipeline_config(self._own_schema),
        )
        try:
            with self._under_way():
                await self._client.request(request)
        except P4ClientError as error:
            raise PipelineError(
                f"the P4 program was refused: {_code(error)}: {error.message}", node=self.node
            ) from error

    @property
    def program(self) -> str:
        """Name of the program on the switch, as its P4Info has it; "" where it has none."""
        return self._schema.name

    async def version(self) -> str:
        """The server's P4Runtime version; "" where it does not say. Raises
        ConnectionFailedError."""
        try:
            with self._under_way():
                answer = await self._client.request(
                    p4r.CapabilitiesRequest(device_id=self._device_id)
                )
        except P4ClientError as error:
            if error.code != GRPCStatusCode.UNIMPLEMENTED:
                raise self._failed(error) from error
            return ""
        return str(answer.p4runtime_api_version)

    def supports(self, entry: Entry) -> bool:
        """Whether the program on the switch has such a table, match fields and action."""
        if not self.is_foreign:
            return True
        if isinstance(entry, (CloneSession, DigestConfig)):
            return False
        try:
            entry.to_finsy().encode(self._schema)
        except ValueError:
            return False
        return True

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
        if not self.is_primary:
            return self._not_begun(batch, "UNAVAILABLE", self._lost.problem)
        try:
            updates = [update.encoded(self._schema) for update in batch]
        except ValueError as error:  # finsy: the P4 program has no such table, field, action
            return self._not_begun(batch, "INVALID_ARGUMENT", str(error))
        try:
            with self._under_way():
                await self._client.request(request_of(self._device_id, updates))
        except P4ClientError as error:
            if error.code == GRPCStatusCode.PERMISSION_DENIED and await self._is_deposed():
                return self._not_begun(batch, "UNAVAILABLE", self._lost.problem)
            return self._refused(batch, error)
        return Outcome(done=tuple(batch))

    async def _is_deposed(self) -> bool:
        """Whether we are not the switch's primary any more, of which the stream is about to tell:
        its word and the answer to a request may come in either order."""
        with suppress(TimeoutError):
            await within(self._ended.wait(), NOTICE_TIMEOUT_S)
        return not self.is_primary

    def _not_begun(self, batch: Sequence[Update], code: str, message: str) -> Outcome:
        return Outcome(failures=(batch[0].failure(self.node, code, message),))

    def _refused(self, batch: Sequence[Update], error: P4ClientError) -> Outcome:
        if error.details:
            return Outcome(
                done=tuple(u for place, u in enumerate(batch) if place not in error.details),
                failures=tuple(
                    batch[place].failure(self.node, detail.canonical_code.name, detail.message)
                    for place, detail in sorted(error.details.items())
                ),
            )
        failure: Failure = batch[0].failure(self.node, _code(error), error.message)
        unknown = () if error.code in _NOTHING_DONE else tuple(batch)
        return Outcome(failures=(failure,), unknown=unknown)

    async def read(self, tables: Collection[str] | None = None) -> list[Entry]:
        """All table entries, multicast groups and limits of meters, but for default and constant
        entries.

        With `tables`, only what stands in those. A switch that another controller has taken over
        can still be read.
        """
        wanted: list[Any] = [fy.P4TableEntry(), fy.P4MulticastGroupEntry()]
        wanted += [fy.P4MeterEntry(meter.alias) for meter in self._schema.meters]
        if not self.is_foreign:
            wanted += [
                fy.P4TableEntry(table.alias, is_default_action=True)
                for table in self._schema.tables
                if not table.match_fields
            ]
        if self._reports is not None:
            wanted.append(fy.P4CloneSessionEntry())
        entities = await self._read(wanted)
        if self._reports is not None:
            entities += self._decoded(await self.read_digests())
        return [from_finsy(entity) for entity in entities if _is_wanted(entity, tables)]

    async def read_digests(self) -> list[p4r.Entity]:
        """Those that are configured. By name, as BMv2 reads no wildcard of them; it answers
        NOT_FOUND for one that is not configured. Raises ConnectionFailedError."""
        found = []
        for digest in self._schema.digests:
            wanted = fy.P4DigestEntry(digest.alias).encode(self._schema)
            try:
                found += await self.read_entities([wanted])
            except ConnectionFailedError as error:
                cause = error.__cause__
                if not isinstance(cause, P4ClientError) or cause.code != GRPCStatusCode.NOT_FOUND:
                    raise
        return found

    async def read_counters(self, name: str, indices: Sequence[int] = ()) -> dict[int, int]:
        """Packets counted by those indices (none: all) of a counter array that are not 0.

        Raises ControlError where there is no such array or cell, ConnectionFailedError.
        """
        try:
            size = self._schema.counters[name].size
        except ValueError as error:
            raise ControlError(str(error), node=self.node) from error
        for index in indices:
            if not 0 <= index < size:
                raise ControlError(
                    f"counter {name}: index {index}: 0 to {size - 1} are possible", node=self.node
                )
        wanted = [fy.P4CounterEntry(name, index=index) for index in indices]
        cells = await self._read(wanted or [fy.P4CounterEntry(name)])
        return {cell.index: cell.packet_count for cell in cells if cell.packet_count}

    async def _read(self, wanted: Iterable[Any]) -> list[Any]:
        entities = [entity.encode(self._schema) for entity in wanted]
        return self._decoded(await self.read_entities(entities))

    def _decoded(self, found: Iterable[p4r.Entity]) -> list[Any]:
        return [fy.p4entity.decode_entity(entity, self._schema) for entity in found]

    async def read_entities(self, wanted: Iterable[p4r.Entity]) -> list[p4r.Entity]:
        """What the switch answers to a Read of these. Raises ConnectionFailedError."""
        request = p4r.ReadRequest(device_id=self._device_id, entities=wanted)
        if self._receiver is None:
            raise self._no_connection()
        entities: list[p4r.Entity] = []
        try:
            with self._under_way():
                async for response in self._client.request_iter(request):
                    entities += response.entities
        except P4ClientError as error:
            raise self._failed(error) from error
        return entities

    async def packet_out(self, port: int, packet: bytes) -> None:
        """Send a packet out of a port of the switch. Raises ConnectionFailedError."""
        self._check()
        if not self._is_ready:
            raise ConnectionFailedError("the switch has no P4 program yet", node=self.node)
        message = fy.P4PacketOut(packet, egress_port=port, pad=0)
        update = message.encode_update(self._schema)
        self.packet_outs += 1  # now: while gRPC takes it, it is under way
        self.sending += 1
        self._on_exchange(self.node)
        try:
            async with self._sending:
                await self._client.send(update)
        except P4ClientError as error:
            self.packet_outs -= 1
            raise self._failed(error) from error
        except asyncio.InvalidStateError as error:  # the stream ended; the receiver says why
            self.packet_outs -= 1
            raise self._no_connection() from error
        finally:
            self.sending -= 1
            self._on_exchange(self.node)

    # ---- the stream ----

    async def _receive(self) -> None:
        try:
            while True:
                message = await self._client.receive()
                kind = message.WhichOneof("update")
                if kind == "packet":
                    if self.is_primary and not self.is_foreign:
                        packet = fy.P4PacketIn.decode(message, self._schema)
                        if self._reports is None or not self._report(self._reports, packet):
                            await self._on_packet(self.node, packet["ingress_port"], packet.payload)
                    self._dealt_with()
                elif kind == "arbitration":
                    self._arbitration_changed(message.arbitration)
                elif kind == "digest":
                    if self.is_primary and not self.is_foreign:
                        await self._digest(fy.P4DigestList.decode(message, self._schema))
                elif kind == "error":
                    if message.error.HasField("packet_out"):
                        self.packet_outs -= 1
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

    def _report(self, reports: Reports, packet: fy.P4PacketIn) -> bool:
        """Whether it was a copy that nobody waits for."""
        if packet["reason"] == TELEMETRY_COPY:
            reports.copy(self.node, packet["detail"], packet["ingress_port"], packet.payload)
        elif packet["reason"] == HERALD_COPY:
            reports.herald(self.node, packet["detail"], packet.payload)
        else:
            return False
        return True

    def _dealt_with(self) -> None:
        self.packet_ins += 1
        self._on_exchange(self.node)

    async def _digest(self, digest: fy.P4DigestList) -> None:
        if self._reports is not None:
            self._reports.digest(self.node, digest)
        with suppress(asyncio.InvalidStateError):  # the stream ended: its reader says why
            async with self._sending:
                await self._client.send(digest.ack().encode_update(self._schema))

    def _arbitration_changed(self, update: p4r.MasterArbitrationUpdate) -> None:
        if self._election_id is None:
            self.has_other_primary = update.status.code == GRPCStatusCode.ALREADY_EXISTS
            self._on_change()
        elif update.status.code != GRPCStatusCode.OK:
            raise self._not_primary(U128.decode(update.election_id))

    def _lose(self, error: ControlError) -> None:
        self._role = Role.AWAY
        self._ended.set()
        self._lost = error
        self._on_error(error)

    def _check(self) -> None:
        if not self.is_primary:
            raise self._lost

    def _complete(self, request: Any) -> None:
        if isinstance(request, (p4r.WriteRequest, p4r.SetForwardingPipelineConfigRequest)):
            request.election_id.CopyFrom(U128.encode(self._election_id or 0))

    def _no_connection(self) -> ConnectionFailedError:
        return ConnectionFailedError("there is no connection to the switch", node=self.node)

    def _not_primary(self, primary: int) -> ArbitrationError:
        return ArbitrationError(
            f"another controller is the primary of the switch (election id {primary}, "
            f"ours {self._election_id})",
            node=self.node,
            election_id=primary,
        )

    def _failed(self, error: P4ClientError) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"the switch at {self.address} failed a request: {_code(error)}: {error.message}",
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


@lru_cache(maxsize=4)
def _pipeline_config(schema: fy.P4Schema) -> p4r.ForwardingPipelineConfig:
    """A megabyte, made once for all switches."""
    return schema.get_pipeline_config()


def _is_wanted(entity: Any, tables: Collection[str] | None) -> bool:
    if isinstance(entity, fy.P4TableEntry):
        if entity.is_default_action:
            action = entity.action
            return isinstance(action, fy.P4TableAction) and any(action.args.values())
        return not entity.is_const and (tables is None or entity.table_id in tables)
    if isinstance(entity, fy.P4MeterEntry):
        return entity.config is not None and (tables is None or entity.meter_id in tables)
    return tables is None or GROUP_TABLE in tables


def _stream_error(node: str, error: p4r.StreamError) -> ControlError:
    code = GRPCStatusCode(error.canonical_code).name
    return ControlError(f"a packet-out was refused: {code}: {error.message}", node=node)


def _code(error: P4ClientError) -> str:
    return str(error.code.name)
