"""The link layer of a whole network: both ends of every quantum link, over one controller.

Each end is a machine of its own (:class:`qplane.link.egp.Egp`) that knows its device and what its
neighbour's messages say. They are together in one process because the controller is.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import NamedTuple

from qplane.arguments import checked
from qplane.clock import Clock
from qplane.control import ControlError, Controller
from qplane.control.events import Event, EventKind
from qplane.link.device import Calibrated, DeviceMhp
from qplane.link.egp import Body, Egp, EndOptions
from qplane.link.end import DEFAULT_PURPOSE, LinkEnd
from qplane.link.errors import LinkLayerError
from qplane.link.feu import CalibrationPoint, FidelityEstimator
from qplane.link.latency import exchange_ps
from qplane.link.memory import QuantumMemory
from qplane.link.messages import Discard
from qplane.link.mhp import SlotRange
from qplane.link.policy import Policy
from qplane.link.scheduler import scheduler
from qplane.link.serial import first_of_epoch
from qplane.link.timers import Timers
from qplane.net import QUANTUM_PORT, Link
from qplane.net import LinkEnd as LinkEndpoint
from qplane.wire.device import WHOLE_DEVICE, DeviceFrame, DeviceType, from_fraction
from qplane.wire.dqp import DqpBody
from qplane.wire.egp import EgpBody, OutcomesBody
from qplane.wire.errors import WireError
from qplane.wire.ethernet import parse_mac
from qplane.wire.qci import LinkFrame, QciMessage, QciType

BRIGHT_STATES = 25
"""Bright-state parameters that a single-click link is asked about."""

_ANSWER_TIMEOUT_PS = 1_000_000_000_000
_FIRST_TYPE, _LAST_TYPE = DeviceType.MHP_START, DeviceType.CALIBRATION
_MHP_TYPES = frozenset(t for t in DeviceType if _FIRST_TYPE <= t <= _LAST_TYPE)
_TYPE_BYTE = 15  # of a device frame and of a QCI message on a link, behind Ethernet


class _Packet(NamedTuple):
    node: str
    port: int
    data: bytes


class LinkLayer:
    """Made by :meth:`start`, once the controller has discovered and installed.

    `least_round_trip_ps`: of a message and its answer, beside the fibre's delay; None: as the
    network file says. `lost` counts messages that could not be sent, `malformed` those that could
    not be read.
    """

    def __init__(
        self,
        controller: Controller,
        clock: Clock,
        *,
        policy: Policy | None = None,
        least_round_trip_ps: int | None = None,
    ) -> None:
        self.lost = 0
        self.malformed = 0
        self.ends: dict[tuple[str, str], LinkEnd] = {}  # by node and neighbour
        self._links: dict[tuple[str, str], Link] = {}  # likewise
        self._controller = controller
        self._clock = clock
        self._policy = policy or Policy()
        self._least_round_trip_ps = least_round_trip_ps
        self._timers = Timers(clock, self.flush)
        self._outbox: list[_Packet] = []
        self._devices: dict[tuple[str, int], DeviceMhp] = {}  # by node and link number
        self._of_node: dict[str, list[DeviceMhp]] = defaultdict(list)  # the same
        self._egps: dict[tuple[str, int], Egp] = {}  # by node and port
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._unsubscribe: Callable[[], None] = lambda: None

    @property
    def timers(self) -> Timers:
        """For what goes with the protocols; what a callback wants sent is sent after it."""
        return self._timers

    # ---- beginning and end ----

    async def start(self) -> None:
        """Ask the devices about their links, and take requests.

        Links whose devices have no MHP are left out. Raises ConnectionFailedError, WriteError,
        SlotsError.
        """
        try:
            await self._start()
        finally:
            self._begun.set()

    async def begun(self) -> None:
        """Wait until :meth:`start` is over, however it went."""
        await self._begun.wait()

    async def _start(self) -> None:
        await self._controller.reserve_links()
        await self._controller.renumber()
        self._unsubscribe = self._controller.events.subscribe(self._on_event)
        self._controller.listen(self._packet_in)
        network = self._controller.network
        links = [link for link in network.links if self._controller.topology.is_quantum(link)]
        transactions = defaultdict[str, Iterator[int]](lambda: count(1))
        for link in links:
            for end in (link.a, link.b):
                device = DeviceMhp(
                    end.number, self._device_sender(end.node), transactions[end.node]
                )
                self._devices[end.node, end.number] = device
                self._of_node[end.node].append(device)
        calibrated = await self._calibrate(links)
        for link in links:
            if link.index in calibrated:
                self._add(link, calibrated[link.index])
        self._task = asyncio.create_task(self._timers.run())
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Take nothing more; orders at the devices go on until the controller's network ends."""
        self._controller.listen(None)
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])  # what ended it before was told to whoever waited

    @checked
    def end(self, node: str, remote: str) -> LinkEnd:
        """The link from `node` to its neighbour `remote`. Raises LinkLayerError."""
        found = self.ends.get((node, remote))
        if found is None:
            for link in self._controller.network.links:
                if (
                    link.quantum
                    and link.herald is None
                    and {link.a.node, link.b.node}
                    == {
                        node,
                        remote,
                    }
                ):
                    raise LinkLayerError(
                        f"link {link.name} has no heralding station, so nothing can be ordered "
                        "there: in its table in the network file, name one (herald = NODE) or "
                        "give it one of its own (herald = true), whichever its scheme; or start "
                        "with qplane net up --stations, which does so for all such links"
                    )
            known = ", ".join(f"{a}-{b}" for a, b in self.ends) or "none"
            raise LinkLayerError(
                f"no quantum link leads from {node} to {remote}; the link layer has: {known}"
            )
        return found

    @checked
    async def use_scheduler(
        self, node: str, remote: str, name: str, weights: Sequence[int] = ()
    ) -> None:
        """Choose what a link serves next, at both ends. Raises LinkLayerError, ValueError."""
        for end in (self.end(node, remote), self.end(remote, node)):
            end.egp.use_scheduler(scheduler(name, weights))
        await self.flush()

    def _link(self, node: str, remote: str) -> Link:
        self.end(node, remote)  # raises LinkLayerError
        return self._links[node, remote]

    @checked
    async def sample(self, node: str, remote: str, every: int) -> None:
        """Have a link's station copy each so many-th pair (a power of two; 0: none) to the
        controller, in place of what the network file says. Raises LinkLayerError, ValueError,
        ControlError.
        """
        await self._controller.sample_heralds(self._link(node, remote), every)

    @checked
    def sampled(self, node: str, remote: str) -> tuple[int, int]:
        """Each how many-th pair of a link is copied (0: none), and how many were."""
        return self._controller.sampled_heralds(self._link(node, remote))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The protocols can't go on: whoever waits for a pair must hear of it."""
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            for end in self.ends.values():
                for consumer in end.consumers:
                    consumer.break_off(error)

    # ---- setting up ----

    async def _calibrate(
        self, links: Sequence[Link]
    ) -> dict[int, tuple[Calibrated, list[CalibrationPoint]]]:
        """By link index: timing, and what each bright-state parameter gives."""
        first = await self._ask([(link, 0) for link in links])
        found = {link.index: first[link.index, 0] for link in links if (link.index, 0) in first}
        wanted = [
            (link, bright)
            for link in links
            if link.index in found
            for bright in _bright_states(found[link.index])
        ]
        answers = await self._ask(wanted)
        points: dict[int, list[CalibrationPoint]] = {index: [] for index in found}
        for (index, bright), said in answers.items():
            points[index].append(
                CalibrationPoint(bright, said.success, said.fidelity_keep, said.fidelity_measure)
            )
        return {index: (said, points[index]) for index, said in found.items() if points[index]}

    async def _ask(self, wanted: Sequence[tuple[Link, int]]) -> dict[tuple[int, int], Calibrated]:
        """What the devices at the links' first ends say; those that do not answer are left out."""
        asked = {
            (link.index, bright): self._devices[link.a.node, link.a.number].ask_calibration(bright)
            for link, bright in wanted
        }
        await self.flush()
        if asked:
            with suppress(TimeoutError):
                await self._clock.wait_for(asyncio.wait(asked.values()), _ANSWER_TIMEOUT_PS)
        answers = {}
        links = self._controller.network.links
        for key, future in asked.items():
            if future.done() and not future.cancelled():
                exchange = self._exchange_ps(links[key[0]])
                said = Calibrated.read(future.result(), exchange)
                if said.timing.cycle_ps and said.success:
                    answers[key] = said
            future.cancel()
        return answers

    def _exchange_ps(self, link: Link) -> int:
        if self._least_round_trip_ps is not None:
            return self._least_round_trip_ps
        return exchange_ps(self._controller.network, link)

    def _add(self, link: Link, calibrated: tuple[Calibrated, list[CalibrationPoint]]) -> None:
        said, points = calibrated
        nodes = self._controller.network.nodes
        devices = self._controller.topology.devices
        first, second = (
            from_fraction(devices[end.node].features.readout_error) for end in (link.a, link.b)
        )
        readout_errors = first, second
        for near, far in ((link.a, link.b), (link.b, link.a)):
            device = self._devices[near.node, near.number]
            egp = Egp(
                EndOptions(
                    nodes[near.node].id,
                    nodes[far.node].id,
                    is_master=near is link.a,
                    timing=said.timing,
                    first_seq=self._first_seq(link),
                    policy=self._policy,
                ),
                timers=self._timers,
                mhp=device,
                memory=QuantumMemory(self._slots(near)),
                estimator=FidelityEstimator(points, readout_errors=readout_errors),
                send=self._link_sender(near.node, near.port, far.node),
            )
            device.egp = egp
            self._egps[near.node, near.port] = egp
            end = LinkEnd(near.node, far.node, egp, device, self._clock, self.flush)
            self.ends[near.node, far.node] = end
            self._links[near.node, far.node] = link
            egp.listen(DEFAULT_PURPOSE, Discard(egp.release))

    def _slots(self, end: LinkEndpoint) -> SlotRange:
        slots = self._controller.link_slots(end.node, end.number)
        return SlotRange(slots.first, slots.count)

    # ---- the stations' numbers ----

    def _first_seq(self, link: Link) -> int:
        station = "" if link.herald is None else link.herald.station
        return first_of_epoch(self._controller.epoch(station))

    def _on_event(self, event: Event) -> None:
        """A station was restarted: both ends of its links hear where its numbers begin anew."""
        if event.kind is not EventKind.STATION_RENUMBERED:
            return
        for link in self._controller.network.links:
            if link.herald is not None and link.herald.station == event.node:
                for end in (link.a, link.b):
                    egp = self._egps.get((end.node, end.port))
                    if egp is not None:
                        egp.renumber(self._first_seq(link))

    # ---- packets ----

    def _device_sender(self, node: str) -> Callable[[DeviceFrame], None]:
        def send(frame: DeviceFrame) -> None:
            self._outbox.append(_Packet(node, QUANTUM_PORT, frame.to_bytes()))

        return send

    def _link_sender(self, node: str, port: int, remote: str) -> Callable[[QciType, Body], None]:
        nodes = self._controller.network.nodes
        src, dst = parse_mac(nodes[node].mac), parse_mac(nodes[remote].mac)

        def send(type: QciType, body: Body) -> None:
            frame = LinkFrame(dst, src, QciMessage(type, body))
            self._outbox.append(_Packet(node, port, frame.to_bytes()))

        return send

    async def flush(self) -> None:
        """Send what the protocols want sent. What can't be sent is lost, as on any link.

        All at once: a packet that waited here for another one would not be known to be under way,
        and virtual time would go on without it. The controller keeps the order at each switch.
        """
        packets, self._outbox = self._outbox, []
        await asyncio.gather(*(self._send(packet) for packet in packets))

    async def _send(self, packet: _Packet) -> None:
        try:
            await self._controller.packet_out(*packet)
        except ControlError:
            self.lost += 1

    def _device(self, node: str, frame: DeviceFrame) -> DeviceMhp | None:
        """Whom a frame of the device of `node` is for; answers about qubits name no link."""
        if frame.link != WHOLE_DEVICE:
            return self._devices.get((node, frame.link))
        devices = self._of_node[node]
        return next((device for device in devices if device.asked(frame)), devices[0])

    async def _packet_in(self, node: str, port: int, packet: bytes) -> bool:
        """Whether it was for the link layer."""
        kind = packet[_TYPE_BYTE] if len(packet) > _TYPE_BYTE else 0
        try:
            if port == QUANTUM_PORT:
                if kind not in _MHP_TYPES:
                    return False
                frame = DeviceFrame.from_bytes(packet)
                device = self._device(node, frame)
                if device is not None:
                    device.receive(frame)
            else:
                if not QciType.DQP_ADD <= kind <= QciType.EGP_OUTCOMES:
                    return False
                message = LinkFrame.from_bytes(packet).message
                egp = self._egps.get((node, port))
                if egp is not None and isinstance(message.body, DqpBody | EgpBody | OutcomesBody):
                    egp.receive(message.type, message.body)
        except WireError:
            self.malformed += 1
        await self.flush()
        return True


def _bright_states(said: Calibrated) -> list[int]:
    """Bright-state parameters to ask about, evenly spaced on a logarithmic scale."""
    least, most = max(said.bright_least, 1), said.bright_most
    if most <= least:
        return [said.bright_most]
    ratio = most / least
    return sorted({round(least * ratio ** (n / (BRIGHT_STATES - 1))) for n in range(BRIGHT_STATES)})
