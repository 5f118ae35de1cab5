"""A raw gRPC client for the tests: messages in, messages and status codes out."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import grpc
from finsy.proto import U128, p4i, p4r, p4r_grpc, rpc_status
from google.protobuf import text_format

from qplane.switch.errors import Code

PROGRAMS = Path(__file__).parent.parent / "programs"
SetRequest = p4r.SetForwardingPipelineConfigRequest
WAIT_S = 10.0  # how long anything may take before a test fails


@dataclass
class Failure:
    """The status of a failed call; ``members`` of a failed batch, in order."""

    code: Code
    message: str
    members: list[Code]
    texts: list[str]


def failure(error: grpc.RpcError) -> Failure:
    """A gRPC error with its p4.v1.Error details unpacked."""
    members, texts = [], []
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = rpc_status.Status.FromString(value)
            assert status.code == error.code().value[0]
            assert status.message == error.details()
            for detail in status.details:
                member = p4r.Error()
                assert detail.Unpack(member)
                members.append(Code(member.canonical_code))
                texts.append(member.message)
    return Failure(Code(error.code().value[0]), error.details(), members, texts)


def load_program(name: str) -> p4r.ForwardingPipelineConfig:
    """The committed outputs of p4c for tests/switch/programs/NAME.p4."""
    config = p4r.ForwardingPipelineConfig()
    text_format.Parse((PROGRAMS / f"{name}.p4info.txtpb").read_text(), config.p4info)
    config.p4_device_config = (PROGRAMS / f"{name}.json").read_bytes()
    return config


class Names:
    """Ids of a P4Info by the last part of an object's name."""

    def __init__(self, p4info: p4i.P4Info) -> None:
        self.message = p4info
        self._ids: dict[tuple[str, str], int] = {}
        for kind in (
            "tables", "actions", "action_profiles", "counters", "direct_counters", "meters",
            "registers", "value_sets", "digests",
        ):  # fmt: skip
            for item in getattr(p4info, kind):
                self._ids[kind, item.preamble.name.rsplit(".", 1)[-1]] = item.preamble.id

    def table(self, name: str) -> int:
        return self._ids["tables", name]

    def action(self, name: str) -> int:
        return self._ids["actions", name]

    def __getitem__(self, key: tuple[str, str]) -> int:
        return self._ids[key]


class Client:
    """One P4Runtime client: a channel, and at most one stream."""

    def __init__(
        self,
        address: str,
        device_id: int = 1,
        *,
        role: str = "",
        credentials: grpc.ChannelCredentials | None = None,
        options: Iterable[tuple[str, object]] = (),
    ) -> None:
        self.device_id = device_id
        self.role = role
        self.election_id: int | None = None
        settings = [
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.max_metadata_size", 8 << 20),
            ("grpc.use_local_subchannel_pool", 1),
            *options,
        ]
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options=settings)
        else:
            self.channel = grpc.secure_channel(address, credentials, options=settings)
        self.stub = p4r_grpc.P4RuntimeStub(self.channel)
        self._requests: queue.Queue[p4r.StreamMessageRequest | None] | None = None
        self._received: queue.Queue[p4r.StreamMessageResponse | grpc.RpcError | None]

    # ---- stream ----

    def open(self) -> None:
        requests: queue.Queue[p4r.StreamMessageRequest | None] = queue.Queue()
        self._requests = requests
        self._received = queue.Queue()
        self.call = self.stub.StreamChannel(iter(requests.get, None))
        threading.Thread(target=self._read, args=(self.call, self._received), daemon=True).start()

    @staticmethod
    def _read(call: grpc.Call, received: queue.Queue[object]) -> None:
        try:
            for message in call:
                received.put(message)
            received.put(None)
        except grpc.RpcError as error:
            received.put(error)

    def send(self, request: p4r.StreamMessageRequest) -> None:
        assert self._requests is not None
        self._requests.put(request)

    def next(self, timeout_s: float = WAIT_S) -> p4r.StreamMessageResponse:
        """The next message of the stream; fails the test when it ended instead."""
        message = self._received.get(timeout=timeout_s)
        assert isinstance(message, p4r.StreamMessageResponse), f"the stream ended: {message}"
        return message

    def next_of(self, kind: str, timeout_s: float = WAIT_S) -> p4r.StreamMessageResponse:
        message = self.next(timeout_s)
        assert message.WhichOneof("update") == kind, message
        return message

    def end_of_stream(self, timeout_s: float = WAIT_S) -> Failure | None:
        """Wait for the stream to end; how (None: OK)."""
        while True:
            message = self._received.get(timeout=timeout_s)
            if isinstance(message, p4r.StreamMessageResponse):
                continue
            self._requests = None
            return None if message is None else failure(message)

    def nothing_more(self) -> bool:
        """Whether the stream is silent: an own packet-out error comes back next."""
        request = p4r.StreamMessageRequest()
        request.digest_ack.digest_id = 0xDEAD
        self.send(request)
        return self.next().error.digest_list_ack.digest_list_ack.digest_id == 0xDEAD

    def ask(self, election_id: int | None, *, config: object = None) -> None:
        """Send a MasterArbitrationUpdate."""
        if self._requests is None:
            self.open()
        request = p4r.StreamMessageRequest()
        update = request.arbitration
        update.device_id = self.device_id
        if self.role or config is not None:
            update.role.name = self.role
        if config is not None:
            update.role.config.Pack(config)
        if election_id is not None:
            update.election_id.CopyFrom(U128.encode(election_id))
        self.election_id = election_id
        self.send(request)

    def arbitrate(self, election_id: int | None, **options: object) -> tuple[Code, int | None]:
        """Ask, and wait for the answer: (status, election id)."""
        self.ask(election_id, **options)
        return self.notice()

    def notice(self) -> tuple[Code, int | None]:
        """The next message, which must be an arbitration notice."""
        update = self.next_of("arbitration").arbitration
        assert update.device_id == self.device_id
        election_id = U128.decode(update.election_id) if update.HasField("election_id") else None
        return Code(update.status.code), election_id

    def disconnect(self) -> None:
        """Break the stream, and wait until it is broken."""
        if self._requests is not None:
            self._requests.put(None)
            self.call.cancel()
            self.end_of_stream()

    def close(self) -> None:
        self.disconnect()
        self.channel.close()

    # ---- calls ----

    def write(self, *updates: p4r.Update, **fields: object) -> Failure | None:
        """A Write; None when it succeeded."""
        request = p4r.WriteRequest(device_id=self.device_id, role=self.role, updates=updates)
        if self.election_id is not None:
            request.election_id.CopyFrom(U128.encode(self.election_id))
        for name, value in fields.items():
            setattr(request, name, value)
        return self.send_write(request)

    def send_write(self, request: p4r.WriteRequest) -> Failure | None:
        try:
            self.stub.Write(request, timeout=WAIT_S)
        except grpc.RpcError as error:
            return failure(error)
        return None

    def status(self, update: p4r.Update) -> Code:
        """The status of a single update."""
        result = self.write(update)
        if result is None:
            return Code.OK
        assert result.code == Code.UNKNOWN, result
        assert len(result.members) == 1
        return result.members[0]

    def read(self, *queries: p4r.Entity, **fields: object) -> list[p4r.Entity]:
        """A Read; raises grpc.RpcError when it fails."""
        request = p4r.ReadRequest(device_id=self.device_id, role=self.role, entities=queries)
        for name, value in fields.items():
            setattr(request, name, value)
        found: list[p4r.Entity] = []
        for response in self.stub.Read(request, timeout=WAIT_S):
            found.extend(response.entities)
        return found

    def read_failure(self, *queries: p4r.Entity, **fields: object) -> Failure:
        """A Read that must fail."""
        try:
            self.read(*queries, **fields)
        except grpc.RpcError as error:
            return failure(error)
        raise AssertionError("the read succeeded")

    def push(
        self,
        config: p4r.ForwardingPipelineConfig | None,
        action: SetRequest.Action.ValueType = SetRequest.VERIFY_AND_COMMIT,
        **fields: object,
    ) -> Failure | None:
        """A SetForwardingPipelineConfig; None when it succeeded."""
        request = SetRequest(device_id=self.device_id, role=self.role, action=action)
        if config is not None:
            request.config.CopyFrom(config)
        if self.election_id is not None:
            request.election_id.CopyFrom(U128.encode(self.election_id))
        for name, value in fields.items():
            setattr(request, name, value)
        try:
            self.stub.SetForwardingPipelineConfig(request, timeout=WAIT_S)
        except grpc.RpcError as error:
            return failure(error)
        return None


def insert(**entity: object) -> p4r.Update:
    """An INSERT of an entity given as its oneof member."""
    return p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(**entity))


def modify(**entity: object) -> p4r.Update:
    """A MODIFY."""
    return p4r.Update(type=p4r.Update.MODIFY, entity=p4r.Entity(**entity))


def delete(**entity: object) -> p4r.Update:
    """A DELETE."""
    return p4r.Update(type=p4r.Update.DELETE, entity=p4r.Entity(**entity))
