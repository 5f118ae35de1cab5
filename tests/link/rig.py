"""A link with its two EGPs, the stub of the physical layer and a channel that can be bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qplane.link.egp import Egp, EndOptions
from qplane.link.feu import CalibrationPoint, FidelityEstimator
from qplane.link.memory import QuantumMemory
from qplane.link.messages import Failure, Ok
from qplane.link.mhp import MhpTiming, SlotRange
from qplane.link.policy import Policy
from qplane.link.scheduler import scheduler
from qplane.wire.qci import Body, QciType
from qplane.wire.service import Create, RequestType, encode_fidelity

from .station import Station
from .world import US, Channel, Faults, World

NODE_IDS = (0x0A000001, 0x0A000002)
PURPOSE = 7
TIMING = MhpTiming(cycle_ps=10 * US, keep_cycles=4, reply_cycles=6, round_trip_ps=100 * US)


@dataclass
class Sink:
    """A consumer that remembers; K pairs are released at once unless `holds`."""

    egp: Egp | None = None
    holds: bool = False
    oks: dict[int, Ok] = field(default_factory=dict)  # by pair number; void ones are taken out
    seen: int = 0
    failures: list[Failure] = field(default_factory=list)
    is_queued: bool = False
    create_id: int | None = None
    times_closed: int = 0
    closed_ps: int = 0

    def ok(self, ok: Ok) -> None:
        assert ok.seq not in self.oks
        self.oks[ok.seq] = ok
        self.seen += 1
        if ok.qubit is not None and not self.holds:
            assert self.egp is not None
            self.egp.release(ok.qubit)

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)
        if failure.pairs is not None:
            del self.oks[failure.pairs.low]

    def queued(self, create_id: int) -> None:
        self.is_queued = True

    def closed(self, create_id: int) -> None:
        self.times_closed += 1

    @property
    def is_closed(self) -> bool:
        return self.times_closed > 0


class Link:
    """Ends 0 (master) and 1."""

    def __init__(
        self,
        world: World,
        *,
        success: float = 0.2,
        fidelity: float = 0.95,
        slots: int = 4,
        faults: Faults | None = None,
        policy: Policy | None = None,
        points: Sequence[CalibrationPoint] | None = None,
        timing: MhpTiming = TIMING,
        holds: bool = False,
    ) -> None:
        self.world = world
        self.station = Station(world, timing, success=success, fidelity=fidelity)
        self.channels: list[Channel] = []
        self.ends: list[Egp] = []
        self.remote_sinks: list[Sink] = []
        points = points or [CalibrationPoint(0, success, fidelity, fidelity)]
        for end in (0, 1):
            # Channel n carries what end n sends.
            self.channels.append(
                Channel(
                    world,
                    timing.round_trip_ps // 2,
                    lambda type, body, to=1 - end: self.ends[to].receive(type, body),
                    faults,
                )
            )
        for end in (0, 1):
            self.ends.append(
                Egp(
                    EndOptions(
                        NODE_IDS[end],
                        NODE_IDS[1 - end],
                        end == 0,
                        timing,
                        policy=policy or Policy(),
                    ),
                    timers=world,
                    mhp=self.station.devices[end],
                    memory=QuantumMemory(SlotRange(0, slots)),
                    estimator=FidelityEstimator(points),
                    send=self._sender(end),
                )
            )
            device = self.station.devices[end]
            device.on_pair = self.ends[end].on_pair
            device.on_error = self.ends[end].on_error
            sink = Sink(self.ends[end], holds)
            self.remote_sinks.append(sink)
            self.ends[end].listen(PURPOSE, sink)

    def _sender(self, end: int):  # type: ignore[no-untyped-def]
        def send(type: QciType, body: Body) -> None:
            self.channels[end].send(type, body)

        return send

    def create(self, end: int, *, holds: bool = False, **fields: object) -> Sink:
        """CREATE at one end; its consumer."""
        sink = Sink(self.ends[end], holds)
        sink.create_id = self.ends[end].create(create(NODE_IDS[1 - end], **fields), sink)
        return sink

    def use(self, name: str, weights: Sequence[int] = ()) -> None:
        for egp in self.ends:
            egp.use_scheduler(scheduler(name, weights))

    @property
    def is_idle(self) -> bool:
        return all(egp.is_idle for egp in self.ends)

    def check(self, sinks: Sequence[tuple[int, Sink]]) -> None:
        """After everything: no OK that the other end has not, nothing left anywhere.

        `sinks`: each request's originator and consumer.
        """
        assert self.is_idle
        here: list[dict[int, tuple[int, int]]] = [{}, {}]  # per end: pair -> origin, create id
        for origin, sink in sinks:
            assert sink.times_closed == 1
            for seq, ok in sink.oks.items():
                assert seq not in here[origin]
                here[origin][seq] = origin, ok.message.create_id
        for end, sink in enumerate(self.remote_sinks):
            for seq, ok in sink.oks.items():
                assert seq not in here[end]
                here[end][seq] = 1 - end, ok.message.create_id
        assert here[0] == here[1]
        for device in self.station.devices:
            assert not device.used
            assert device.order is None or device.pairs_left == 0


def create(remote: int, **fields: object) -> Create:
    """A CREATE with what tests want most."""
    values: dict[str, object] = {
        "remote_node_id": remote,
        "min_fidelity": encode_fidelity(0.8),
        "time_unit": 0,
        "max_time": 0,
        "purpose_id": PURPOSE,
        "number": 1,
        "consecutive": 1,
        "request_type": RequestType.KEEP,
    }
    values.update(fields)
    return Create(**values)  # type: ignore[arg-type]
