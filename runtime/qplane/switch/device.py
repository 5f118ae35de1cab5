"""One switch as P4Runtime sees it: a packet path, its configuration, state and clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from finsy.proto import U128, p4r
from google.protobuf.any_pb2 import Any as AnyMessage

from qplane_cext.switch.core import PipelineError, SwitchCore, SwitchError

from .arbitration import Arbiter, Notice
from .digests import DigestQueue
from .errors import BatchError, Code, StatusError, invalid
from .idle import IdleWatch
from .p4info import Digest
from .packet_io import ControllerHeader
from .pipeline_config import LoadedConfig, load_config
from .ports import PortStates
from .read import read_all
from .reconcile import CarriedState, carry_over
from .roles import RoleScope, parse_scope
from .state import ForwardingState
from .stream import ClientStream
from .write import WriteError, apply_batch, apply_wire

SetRequest = p4r.SetForwardingPipelineConfigRequest
# finsy and others recognise a missing pipeline by these words.
NO_PIPELINE = "No forwarding pipeline config set for this device"
STATUS_TEXT = {
    Code.OK: "Is primary",
    Code.ALREADY_EXISTS: "Is backup",
    Code.NOT_FOUND: "There is no primary",
}


class PacketRoutes(NamedTuple):
    """What packet I/O needs to know; replaced as a whole, so that reading it takes no lock."""

    packet_in: ControllerHeader | None  # None: no pipeline
    packet_out: ControllerHeader | None
    primaries: tuple[tuple[ClientStream, RoleScope], ...]


@dataclass
class _Saved:
    """A configuration that VERIFY_AND_SAVE left to be committed, and what was written since."""

    config: LoadedConfig
    state: ForwardingState  # of a packet path that no packet reaches
    writes: list[tuple[p4r.Update, RoleScope]]


class Device:
    """One P4Runtime device.

    ``inject(port, data)`` is how a packet-out enters the packet path: at once in real time, by
    way of the event loop in virtual time. It is called from the stream's thread.
    """

    def __init__(
        self,
        device_id: int,
        core: SwitchCore,
        *,
        inject: Callable[[int, bytes], None],
        name: str = "",
    ) -> None:
        self.device_id = device_id
        self.name = name or f"device {device_id}"
        self.core = core
        self.ports = PortStates()
        self.packet_ins_sent = 0
        self.packet_ins_dropped = 0  # no primary took them, or its queue was full
        self.is_timed = False  # a digest is on, or entries can time out: tick() has work to do
        self._inject = inject
        # Guards everything below. Never taken by deliver_to_cpu or by the packet path's callbacks:
        # a Write holds it while it calls into the packet path.
        self._lock = threading.RLock()
        self._arbiter: Arbiter[ClientStream] = Arbiter()
        self._config: LoadedConfig | None = None
        self._state: ForwardingState | None = None
        self._saved: _Saved | None = None
        self._routes = PacketRoutes(None, None, ())
        self._sent_lock = threading.Lock()
        self._digests = DigestQueue(self._send_digest_list)
        self._idle = IdleWatch()
        core.on_digest(self._digests.add)
        self.ports.listen(self._ports_changed)

    # ---- arbitration and streams ----

    def serve_stream_message(self, stream: ClientStream, request: p4r.StreamMessageRequest) -> None:
        """Handle one message of a client; raises StatusError when its stream is to end."""
        kind = request.WhichOneof("update")
        if kind == "arbitration":
            self._arbitrate(stream, request.arbitration)
        elif kind == "packet":
            self._packet_out(stream, request.packet)
        elif kind == "digest_ack":
            self._acknowledge(stream, request.digest_ack)
        else:
            response = _stream_error(
                StatusError(Code.UNIMPLEMENTED, f"stream message {kind or 'unset'} is not known")
            )
            response.error.other.other.CopyFrom(request.other)
            stream.offer(response.SerializeToString())

    def _arbitrate(self, stream: ClientStream, update: p4r.MasterArbitrationUpdate) -> None:
        if update.device_id != self.device_id:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                f"this stream is for device {self.device_id}, not {update.device_id}",
            )
        scope = parse_scope(update.role)
        election_id = _election_id(update)
        with self._lock:
            notices = self._arbiter.update(stream, update.role.name, scope, election_id)
            self._tell(notices)
            self._route()

    def disconnect(self, stream: ClientStream) -> None:
        """A client's stream has ended."""
        with self._lock:
            self._tell(self._arbiter.disconnect(stream))
            self._route()

    def close_streams(self, error: StatusError | None = None) -> None:
        """End the streams of all clients."""
        with self._lock:
            for stream in self._arbiter.clients():
                stream.close(error)

    def _tell(self, notices: list[Notice[ClientStream]]) -> None:
        for notice in notices:
            response = p4r.StreamMessageResponse()
            update = response.arbitration
            update.device_id = self.device_id
            role = self._arbiter.role(notice.role)
            assert role is not None
            if notice.role or role.scope.config is not None:
                update.role.name = notice.role
            if role.scope.config is not None:
                update.role.config.CopyFrom(AnyMessage.FromString(role.scope.config))
            if notice.election_id is not None:
                update.election_id.CopyFrom(U128.encode(notice.election_id))
            update.status.code = notice.status
            update.status.message = STATUS_TEXT[notice.status]
            notice.client.notify(response.SerializeToString())

    def _route(self) -> None:
        """Publish what packet I/O needs; called after every change of it."""
        self._routes = PacketRoutes(
            self._config.index.packet_in if self._config else None,
            self._config.index.packet_out if self._config else None,
            tuple((client, role.scope) for client, role in self._arbiter.primaries()),
        )

    # ---- packet I/O ----

    def deliver_to_cpu(self, *packets: bytes) -> None:
        """Packets left on the CPU port: hand them to the primary. Thread safe, never blocks."""
        routes = self._routes
        sent: set[int] = set()  # places of those that somebody gets
        if (header := routes.packet_in) is not None:
            encoded = ((place, header.encode(packet)) for place, packet in enumerate(packets))
            messages = [(place, message) for place, message in encoded if message is not None]
            for stream, scope in routes.primaries:
                wanted = [one for one in messages if _wants(scope, header, packets[one[0]])]
                count = stream.offer(*[message for _, message in wanted])
                sent.update(place for place, _ in wanted[:count])
        with self._sent_lock:
            self.packet_ins_sent += len(sent)
            self.packet_ins_dropped += len(packets) - len(sent)

    def let_packet_ins_pass(self, seconds: float) -> None:
        """Wait until the packet-ins on their way have left, at most so long.

        A request that does so first leaves the processor to packet-ins when there is not enough of
        it for all.
        """
        deadline = time.monotonic() + seconds
        for stream, _ in self._routes.primaries:
            stream.let_pass(max(0.0, deadline - time.monotonic()))

    def _packet_out(self, stream: ClientStream, packet: p4r.PacketOut) -> None:
        routes = self._routes
        try:
            if all(stream is not primary for primary, _ in routes.primaries):
                raise StatusError(Code.PERMISSION_DENIED, "only the primary can send packets")
            if routes.packet_out is None:
                raise StatusError(Code.FAILED_PRECONDITION, NO_PIPELINE)
            self._inject(self.core.cpu_port, routes.packet_out.join(packet))
        except StatusError as error:
            response = _stream_error(error)
            response.error.packet_out.packet_out.CopyFrom(packet)
            stream.offer(response.SerializeToString())

    # ---- digests and idle time-outs ----

    def _acknowledge(self, stream: ClientStream, ack: p4r.DigestListAck) -> None:
        try:
            if all(stream is not primary for primary, _ in self._routes.primaries):
                raise StatusError(Code.PERMISSION_DENIED, "only the primary acknowledges digests")
            self._digests.acknowledge(ack.digest_id, ack.list_id)
        except StatusError as error:
            response = _stream_error(error)
            response.error.digest_list_ack.digest_list_ack.CopyFrom(ack)
            stream.offer(response.SerializeToString())

    def _configure_digest(self, digest: Digest, config: p4r.DigestEntry.Config | None) -> None:
        self._digests.configure(digest, config)
        self._note_timers()

    def _note_timers(self) -> None:
        timed_stores = self._state.tables.timed_stores if self._state is not None else ()
        self.is_timed = self._digests.active or bool(timed_stores)

    def _send_digest_list(self, digest_id: int, message: p4r.DigestList) -> None:
        self._notify_primaries(digest_id, p4r.StreamMessageResponse(digest=message))

    def _notify_primaries(self, p4_id: int, response: p4r.StreamMessageResponse) -> None:
        data = response.SerializeToString()
        for stream, scope in self._routes.primaries:
            if scope.allows(p4_id):
                stream.offer(data)

    def tick(self) -> None:
        """Let time-outs take effect; the server calls this a few dozen times a second."""
        if self._digests.active:
            self._digests.tick()
        state = self._state
        if state is None or not state.tables.timed_stores:
            return
        # A long Write holds the lock: the next tick is soon enough then.
        if self._lock.acquire(blocking=False):
            try:
                if state is not self._state:
                    return
                for table_id, message in self._idle.expired(state):
                    response = p4r.StreamMessageResponse(idle_timeout_notification=message)
                    self._notify_primaries(table_id, response)
            finally:
                self._lock.release()

    # ---- ports ----

    def set_port_up(self, port: int, up: bool) -> None:
        """A port's link went up or down: watch ports and backup replicas follow."""
        with self._lock:
            self.ports.set(port, up)

    def _ports_changed(self) -> None:
        if self._state is not None:
            with self.core.hold():
                self._state.ports_changed()

    # ---- write and read ----

    def write(self, request: p4r.WriteRequest) -> None:
        """A Write. Raises StatusError for the request as a whole, BatchError for its updates."""
        with self._lock:
            role = self._arbiter.writer(request.role, _election_id(request))
            saved = self._saved
            state = saved.state if saved is not None else self._state
            if state is None:
                raise StatusError(Code.FAILED_PRECONDITION, NO_PIPELINE)
            applied = []
            try:
                applied = apply_batch(state, request.updates, request.atomicity, role.scope)
            except WriteError as error:
                applied = error.applied
                raise
            finally:
                if saved is not None:
                    saved.writes += [(update, role.scope) for update in applied]

    def write_wire(self, data: bytes, role_name: str, election_id: int | None) -> None:
        """A serialized Write with CONTINUE_ON_ERROR whose header has been parsed already."""
        with self._lock:
            role = self._arbiter.writer(role_name, election_id)
            if self._saved is None and self._state is not None and role.scope.listed is None:
                apply_wire(self._state, data, role.scope)
                return
        self.write(p4r.WriteRequest.FromString(data))

    def read(self, request: p4r.ReadRequest) -> tuple[list[bytes], BatchError | None]:
        """A Read: serialized responses, and the error to end with when a query was refused."""
        with self._lock:
            role = self._arbiter.role(request.role)
            if role is None:
                raise StatusError(Code.NOT_FOUND, f"no client has taken the role {request.role!r}")
            state = self._saved.state if self._saved is not None else self._state
            if state is None:
                raise StatusError(Code.FAILED_PRECONDITION, NO_PIPELINE)
            return read_all(state, request.entities, role.scope)

    def describe_entry(self, table: str, handle: int) -> str:
        """A table entry as text, for traces."""
        state = self._state
        if state is not None:
            for store in state.tables.stores.values():
                if store.table.name == table:
                    return store.describe(handle)
        return f"entry {handle}"

    # ---- pipeline configuration ----

    def get_pipeline(
        self, request: p4r.GetForwardingPipelineConfigRequest
    ) -> p4r.GetForwardingPipelineConfigResponse:
        """The configuration that was committed or, newer, saved last."""
        with self._lock:
            config = self._saved.config if self._saved is not None else self._config
        if config is None:
            raise StatusError(Code.FAILED_PRECONDITION, NO_PIPELINE)
        return p4r.GetForwardingPipelineConfigResponse(
            config=config.response(request.response_type)
        )

    def set_pipeline(self, request: SetRequest) -> None:
        """Verify, save, commit or reconcile a configuration.

        Whatever goes wrong, the old pipeline, its entries and its traffic stay as they were.
        """
        with self._lock:
            role = self._arbiter.writer(request.role, _election_id(request))
            if not role.scope.can_push_pipeline:
                raise StatusError(
                    Code.PERMISSION_DENIED, f"role {role.name!r} may not push a pipeline"
                )
            action = request.action
            if action == SetRequest.COMMIT:
                if request.HasField("config"):
                    raise invalid("COMMIT takes no configuration")
                self._commit_saved()
                return
            if action not in (
                SetRequest.VERIFY, SetRequest.VERIFY_AND_SAVE, SetRequest.VERIFY_AND_COMMIT,
                SetRequest.RECONCILE_AND_COMMIT,
            ):  # fmt: skip
                raise invalid(f"action {action} is not set or not known")
            if not request.HasField("config"):
                raise invalid("the configuration is not set")
            config = load_config(request.config)
            if action == SetRequest.VERIFY:
                self._rehearsal(config)
            elif action == SetRequest.VERIFY_AND_SAVE:
                self._saved = _Saved(config, self._rehearsal(config), [])
            elif action == SetRequest.VERIFY_AND_COMMIT:
                self.commit(config)
            elif action == SetRequest.RECONCILE_AND_COMMIT:
                self._reconcile(config)

    def _rehearsal(self, config: LoadedConfig) -> ForwardingState:
        """The state of a configuration on a packet path of its own, which no packet reaches."""
        core = SwitchCore(cpu_port=self.core.cpu_port, drop_port=self.core.drop_port)
        _realise(config, core)
        return ForwardingState(config.index, core, PortStates(), _ignore_digest)

    def commit(self, config: LoadedConfig) -> None:
        """Make a configuration effective with empty state."""
        with self._lock:
            self._load(config)
            self._take_over(config)

    def _load(self, config: LoadedConfig) -> None:
        with self.core.hold():
            _realise(config, self.core)
            if self._state is not None:
                self._state.retire()

    def _take_over(self, config: LoadedConfig) -> ForwardingState:
        self._digests.clear()
        self._idle = IdleWatch()
        self._config = config
        self._state = ForwardingState(config.index, self.core, self.ports, self._configure_digest)
        self._note_timers()
        self._saved = None
        self._route()
        return self._state

    def _commit_saved(self) -> None:
        saved = self._saved
        if saved is None:
            raise StatusError(Code.NOT_FOUND, "no saved configuration to commit")
        with self.core.hold():  # no packet sees the new program without its entries
            self._load(saved.config)
            state = self._take_over(saved.config)
            for update, scope in saved.writes:
                state.apply(update, scope, [])

    def _reconcile(self, config: LoadedConfig) -> None:
        if self._state is None:
            self.commit(config)
            return
        carry_over(self._state, self._rehearsal(config))
        with self.core.hold():  # counters and registers are read once more, with packets kept out
            carried = CarriedState(self._state)
            self._load(config)
            carried.restore(self._take_over(config))


def _realise(config: LoadedConfig, core: SwitchCore) -> None:
    try:
        core.commit(config.pipeline, initial=config.index.initial_tables())
    except (SwitchError, PipelineError) as error:
        raise invalid(f"the device config can't be realised: {error}") from error
    except MemoryError as error:
        raise StatusError(Code.RESOURCE_EXHAUSTED, f"the device config: {error}") from error


def _ignore_digest(_: Digest, __: p4r.DigestEntry.Config | None) -> None:
    """A rehearsal sends no digests."""


def _wants(scope: RoleScope, header: ControllerHeader, packet: bytes) -> bool:
    if not scope.receives_packet_ins:
        return False
    if scope.packet_in_filter is None:
        return True
    metadata_id, value = scope.packet_in_filter
    return header.value(packet, metadata_id) == value


def _election_id(
    message: p4r.MasterArbitrationUpdate | p4r.WriteRequest | SetRequest,
) -> int | None:
    return U128.decode(message.election_id) if message.HasField("election_id") else None


def _stream_error(error: StatusError) -> p4r.StreamMessageResponse:
    response = p4r.StreamMessageResponse()
    response.error.canonical_code = error.code
    response.error.message = error.message
    return response
