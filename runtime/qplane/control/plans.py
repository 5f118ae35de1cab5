"""Plans: everything that is decided about a circuit before any switch hears of it.

A plan is immutable. What is taken (labels, circuit numbers, multicast groups, slots) follows from
the plans that stand, so a change that fails has nothing to give back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType

from qplane.control import slices
from qplane.control.errors import ControlError, ExhaustedError, SlotsError
from qplane.control.planning import Load, Promise, Use, can_distil, check_turns, choose, pair_ps
from qplane.control.routing import circuit_path, message_delay_ps
from qplane.control.slots import Demand, Slots, divide, foreign_slots, take
from qplane.control.timing import HOP_ALLOWANCE_PS, LinkUse, Timing, timing
from qplane.control.topology import Topology
from qplane.net import DEFAULT_SLICE, QUANTUM_PORT, Circuit, Link, Network
from qplane.wire import DISTILLED_LINKS, FIRST_LABEL, LAST_LABEL, LinkFeatures

MAX_CIRCUITS = 1024
"""Circuits at one switch: the size of the P4 program's table `circuit`."""

MAX_GROUPS = 4096
"""Multicast groups of one switch; BMv2's default."""

Replicas = tuple[tuple[int, int], ...]


class Side(IntEnum):
    """A circuit's side at a node; also the replication id of the copies that leave there."""

    DOWN = 1  # towards the tail-end
    UP = 2  # towards the head-end


class Request(IntEnum):
    """What an end node does with a pair (docs/p4.md); the names are those of a network file."""

    KEEP = 0
    MEASURE = 1
    EARLY = 2


TO_DEVICE = 3
"""Replication id of the copy for the quantum device."""


@dataclass(frozen=True)
class SidePlan:
    """One side of a circuit at a node: the link there, its label and the device's slots for it."""

    side: Side
    link: Link
    port: int
    number: int  # the device's link number
    label: int
    neighbour: str
    slots: Slots
    group: int  # multicast group of the device and this port
    bright_state: int = 0  # of its attempts, n / 65535; 0: the link's own
    feeds: int = 0  # label of the circuit that gets the distilled pairs; 0: they are delivered
    is_fed: bool = False  # its pairs are those that a feeder has distilled, in the feeder's slots


@dataclass(frozen=True)
class HopPlan:
    """A circuit at one node: an end has one side, a repeater both."""

    node: str
    circuit_id: int
    sides: tuple[SidePlan, ...]  # up, then down
    group_both: int  # 0 at an end
    slice: str = DEFAULT_SLICE
    slice_number: int = 0
    request: Request = Request.KEEP
    complete: bool = False  # COMPLETE tells the other end of each delivery
    budget_ps: int = 0  # an end: what its TRACKs may take to the other end; 0: no limit
    far_node: int = 0  # an end: id of the node at the other end
    far_link: int = 0  # and that node's number of the link that its pairs come by
    serial: int = 0  # an end: tells it from earlier circuits of its number

    @property
    def is_end(self) -> bool:
        return len(self.sides) == 1

    def groups(self) -> Iterator[tuple[int, Replicas]]:
        """The multicast groups that the circuit needs here."""
        for side in self.sides:
            yield side.group, device_replicas(side.port, side.side)
        if not self.is_end:
            yield self.group_both, both_replicas(self.sides[0].port, self.sides[1].port)


@dataclass(frozen=True)
class CircuitPlan:
    """A circuit with its path, head-end first, and its times.

    `feeders` are circuits over one link each that distil its pairs; what they deliver goes on as
    pairs that a link of its own (number + 16) made for this one.
    """

    name: str
    path: tuple[Link, ...]
    hops: tuple[HopPlan, ...]
    timing: Timing
    promise: Promise | None = None
    rounds: int = 0  # of distillation between its ends
    pair_ps: tuple[int, ...] = ()  # mean time that it takes for a pair of each link
    feeders: tuple[CircuitPlan, ...] = ()

    @property
    def parts(self) -> tuple[CircuitPlan, ...]:
        """What feeds it, and then itself: all that has entries, and is started and stopped."""
        return (*self.feeders, self)

    @property
    def link_rounds(self) -> tuple[int, ...]:
        """Rounds of distillation on each link of the path."""
        rounds = {feeder.path[0].index: feeder.rounds for feeder in self.feeders}
        return tuple(rounds.get(link.index, 0) for link in self.path)

    @property
    def bright_states(self) -> tuple[int, ...]:
        """Of each link of the path, n / 65535; 0: the link's own."""
        return tuple(hop.sides[-1].bright_state for hop in self.hops[:-1])

    def numbered(self, serial: int) -> CircuitPlan:
        """With this serial number, 0 to 65535, at its ends and its feeders'."""
        hops = (replace(hop, serial=serial) if hop.is_end else hop for hop in self.hops)
        feeders = (feeder.numbered(serial) for feeder in self.feeders)
        return replace(self, hops=tuple(hops), feeders=tuple(feeders))

    def use(self) -> Use:
        """What it leaves less of to others."""
        slots = [
            (hop.node, side.slots)
            for part in self.parts
            for hop in part.hops
            for side in hop.sides
            if not side.is_fed
        ]
        return Use(self.path, slots, self.promise, self.pair_ps)


def device_replicas(port: int, side: Side) -> Replicas:
    """A copy for the quantum device and one that leaves on a side."""
    return tuple(sorted([(QUANTUM_PORT, TO_DEVICE), (port, int(side))]))


def both_replicas(port_up: int, port_down: int) -> Replicas:
    """A copy for each side."""
    return tuple(sorted([(port_up, int(Side.UP)), (port_down, int(Side.DOWN))]))


def plan_circuits(
    topology: Topology,
    circuits: Sequence[Circuit],
    standing: Iterable[CircuitPlan] = (),
    replacing: Iterable[CircuitPlan] = (),
    reserved: Mapping[str, Sequence[Slots]] = MappingProxyType({}),
) -> list[CircuitPlan]:
    """Plans for `circuits` beside the `standing` ones and those that they are `replacing`.

    `reserved`: slots that are the link layer's, by node.

    What is being replaced keeps its labels and numbers until it is gone, but its slots may be used:
    it generates nothing any more when the new circuit does.
    Raises NoPathError, SlotsError, ExhaustedError, DiscoveryError.
    """
    standing = list(standing)
    circuits, promises = _admit(topology, circuits, standing, reserved)
    paths = [
        circuit.path if circuit.asks else circuit_path(topology, circuit) for circuit in circuits
    ]
    taken = _Taken(standing, replacing)
    slots = _divide_slots(topology, circuits, paths, taken, reserved)
    for path in paths:
        taken.count(path)
    plans = []
    for circuit, path in zip(circuits, paths, strict=True):
        rounds_on = _link_rounds(topology, circuit, path)
        hops = _hops(topology.network, circuit, path, slots, taken, rounds_on)
        promise = promises.get(circuit.name)
        features = _features(topology, circuit, path)
        uses = [
            LinkUse(
                features[place],
                max(taken.circuits_on[link.index], promise.turns[place] if promise else 1),
                max(hops[place].sides[-1].slots.count, hops[place + 1].sides[0].slots.count),
                _detour_ps(topology, link),
            )
            for place, link in enumerate(path)
        ]
        feeders = [
            _feeder(
                topology.network, circuit, path, place, hops, uses[place], rounds_on[place], taken
            )
            for place in range(len(path))
            if rounds_on[place]
        ]
        uses = [_distilled(use, count) for use, count in zip(uses, rounds_on, strict=True)]
        repeaters = [topology.devices[hop.node].features for hop in hops[1:-1]]
        rounds = circuit.distil or 0
        if rounds and any(rounds_on):
            raise ControlError(
                f"circuit {circuit.name}: distillation is on links or between the ends, not both"
            )
        if rounds and min(hops[0].sides[0].slots.count, hops[-1].sides[0].slots.count) <= rounds:
            raise SlotsError(
                f"circuit {circuit.name}: {rounds} rounds of distillation need {rounds + 1} slots "
                f"at its ends; it would have {hops[0].sides[0].slots.count} at {circuit.head} and "
                f"{hops[-1].sides[0].slots.count} at {circuit.tail}"
            )
        times = timing(circuit.cutoff_ps, uses, repeaters, rounds)
        # When a TRACK has taken longer, the qubit that it is about is gone.
        budget_ps = min(circuit.budget_ps or times.end_cutoff_ps, times.end_cutoff_ps)
        hops = [replace(hop, budget_ps=budget_ps) if hop.is_end else hop for hop in hops]
        hops = _acquainted(topology.network, hops)
        times_ps = tuple(pair_ps(said) for said in features)
        plan = CircuitPlan(circuit.name, path, tuple(hops), times, promise, rounds, times_ps)
        plans.append(replace(plan, feeders=tuple(feeders)))
    return plans


def _link_rounds(topology: Topology, circuit: Circuit, path: Sequence[Link]) -> Sequence[int]:
    """Rounds of distillation on each link. Raises ControlError where a link can't have any."""
    rounds = circuit.link_rounds or (circuit.distil_links or 0,) * len(path)
    for link, count in zip(path, rounds, strict=True):
        if count and not can_distil(topology, link):
            raise ControlError(
                f"circuit {circuit.name}: no distillation on link {link.name}: it is number "
                f"{link.a.number} at {link.a.node} and {link.b.number} at {link.b.node}, and both "
                f"must be below {DISTILLED_LINKS}, without a link {DISTILLED_LINKS} above"
            )
    return rounds


def _acquainted(network: Network, hops: Sequence[HopPlan]) -> list[HopPlan]:
    """Each end knows what the other one numbers its pairs by: node and link."""
    head, *between, tail = hops

    def knowing(near: HopPlan, far: HopPlan) -> HopPlan:
        return replace(near, far_node=network.nodes[far.node].id, far_link=far.sides[0].number)

    return [knowing(head, tail), *between, knowing(tail, head)]


def _feeder(
    network: Network,
    circuit: Circuit,
    path: Sequence[Link],
    place: int,
    hops: Sequence[HopPlan],
    use: LinkUse,
    rounds: int,
    taken: _Taken,
) -> CircuitPlan:
    """The circuit over one link of another's path that distils its pairs.

    The tail-end has a pair before the head-end does. At an end of the path the TRACK leaves at
    once, so there is the head-end.
    """
    link = path[place]
    ends = [(hops[place], hops[place].sides[-1]), (hops[place + 1], hops[place + 1].sides[0])]
    if 0 < place == len(path) - 1:
        ends.reverse()
    if min(side.slots.count for _, side in ends) <= rounds:
        raise SlotsError(
            f"circuit {circuit.name}: {rounds} rounds of distillation on link {link.name} need "
            f"{rounds + 1} slots at its ends; it would have {ends[0][1].slots.count} at "
            f"{ends[0][0].node} and {ends[1][1].slots.count} at {ends[1][0].node}"
        )
    times = timing(0, [use], [], rounds)
    label = taken.label(link)
    made = []
    for (hop, fed), side in zip(ends, (Side.DOWN, Side.UP), strict=True):
        own = replace(
            fed,
            side=side,
            number=link.end(hop.node).number,
            label=label,
            group=taken.group(hop.node, device_replicas(fed.port, side)),
            feeds=fed.label,
            is_fed=False,
        )
        made.append(
            replace(
                hop,
                circuit_id=taken.circuit_id(hop.node),
                sides=(own,),
                group_both=0,
                request=Request.KEEP,
                complete=False,
                budget_ps=times.end_cutoff_ps,
            )
        )
    hops_of_link = tuple(_acquainted(network, made))
    return CircuitPlan(circuit.name, (link,), hops_of_link, times, rounds=rounds)


def _distilled(use: LinkUse, rounds: int) -> LinkUse:
    """The link as one that makes distilled pairs: of which each round takes two, and succeeds with
    a probability of 1/2 at least."""
    success = max(use.features.success >> 2 * rounds, 1)
    return use._replace(features=replace(use.features, success=success))


def _features(topology: Topology, circuit: Circuit, path: Sequence[Link]) -> list[LinkFeatures]:
    """What the links of its path give with the circuit's bright states."""
    chosen = circuit.bright_states or (0,) * len(path)
    return [topology.features_at(link, bright) for link, bright in zip(path, chosen, strict=True)]


def _detour_ps(topology: Topology, link: Link) -> int:
    """All of a tunnel's way counts, on top of the fibre that heralds come by."""
    if link.tunnel is None:
        return 0
    return message_delay_ps(topology.network, link, topology.down) + HOP_ALLOWANCE_PS


def _admit(
    topology: Topology,
    circuits: Sequence[Circuit],
    standing: Sequence[CircuitPlan],
    reserved: Mapping[str, Sequence[Slots]],
) -> tuple[list[Circuit], dict[str, Promise]]:
    """Path, slots and cut-off of the circuits that ask for a quality, and what they are promised.

    Raises RefusedError where a promise that stands, or one made here, could not be kept.
    """
    load = Load.of(topology, (plan.use() for plan in standing))
    load.add(Use((), [(node, slots) for node, held in reserved.items() for slots in held], None))
    promises: dict[str, Promise] = {}
    admitted: dict[str, Circuit] = {}
    # Those that ask for nothing come first: their turns on the links count for the others.
    for request in sorted(circuits, key=lambda circuit: circuit.asks):
        if request.asks:
            choice = choose(topology, request, load.of_slice(topology.network, request.slice))
            circuit, path = choice.applied(request), choice.path
            promises[circuit.name] = choice.promise
        else:
            circuit, path = request, circuit_path(topology, request)
            check_turns(circuit, path, load)
        admitted[circuit.name] = circuit
        own = load.of_slice(topology.network, circuit.slice)
        fitting = _fitting(circuit, path, own)
        times_ps = [pair_ps(said) for said in _features(topology, circuit, path)]
        load.add(Use(path, fitting, promises.get(circuit.name), times_ps))
    return [admitted[circuit.name] for circuit in circuits], promises


def _fitting(circuit: Circuit, path: Sequence[Link], load: Load) -> list[tuple[str, Slots]]:
    """Slots that the circuit takes for certain, one on a side where it takes an equal share."""
    free: dict[str, list[Slots]] = {}
    taken = []
    for node, _, _ in _node_sides(circuit, path):
        holes = free.setdefault(node, list(load.free[node]))
        if holes:
            taken.append((node, take(holes, max(circuit.slots, 1))))
    return taken


class _Taken:
    """What plans use up. The lowest free value is always the next."""

    def __init__(self, standing: Iterable[CircuitPlan], replaced: Iterable[CircuitPlan]) -> None:
        self.labels: dict[int, set[int]] = {}  # by link
        self.circuit_ids: dict[str, set[int]] = {}  # by node
        self.groups: dict[str, dict[Replicas, int]] = {}  # by node
        self.slots: dict[str, list[Slots]] = {}  # by node
        self.circuits_on: dict[int, int] = {}  # by link
        for plan in standing:
            self._names(plan)
            self.count(plan.path)
            for node, slots in plan.use().slots:
                self.slots.setdefault(node, []).append(slots)
        for plan in replaced:
            self._names(plan)

    def _names(self, plan: CircuitPlan) -> None:
        for hop in (hop for part in plan.parts for hop in part.hops):
            self.circuit_ids.setdefault(hop.node, set()).add(hop.circuit_id)
            self.groups.setdefault(hop.node, {}).update(
                (replicas, group) for group, replicas in hop.groups()
            )
            for side in hop.sides:
                self.labels.setdefault(side.link.index, set()).add(side.label)

    def count(self, path: Iterable[Link]) -> None:
        for link in path:
            self.circuits_on[link.index] = self.circuits_on.get(link.index, 0) + 1

    def label(self, link: Link) -> int:
        used = self.labels.setdefault(link.index, set())
        return _lowest(used, FIRST_LABEL, LAST_LABEL, f"label on link {link.name}", "")

    def circuit_id(self, node: str) -> int:
        used = self.circuit_ids.setdefault(node, set())
        return _lowest(used, 0, MAX_CIRCUITS - 1, "circuit number", node)

    def group(self, node: str, replicas: Replicas) -> int:
        """Circuits with the same ports share a group."""
        groups = self.groups.setdefault(node, {})
        if replicas not in groups:
            used = set(groups.values())
            groups[replicas] = _lowest(used, 1, MAX_GROUPS - 1, "multicast group", node)
        return groups[replicas]


def _lowest(used: set[int], first: int, last: int, what: str, node: str) -> int:
    value = next((value for value in range(first, last + 1) if value not in used), None)
    if value is None:
        raise ExhaustedError(f"no {what} is left; {first} to {last} are in use", node=node)
    used.add(value)
    return value


def _node_sides(circuit: Circuit, path: Sequence[Link]) -> Iterator[tuple[str, Side, Link]]:
    """Each side of a circuit, from head to tail: node, side, link."""
    node = circuit.head
    for link in path:
        yield node, Side.DOWN, link
        node = link.far(node).node
        yield node, Side.UP, link


def _divide_slots(
    topology: Topology,
    circuits: Sequence[Circuit],
    paths: Sequence[Sequence[Link]],
    taken: _Taken,
    reserved: Mapping[str, Sequence[Slots]],
) -> dict[tuple[str, str, Side], Slots]:
    """The slots of each (circuit, node, side)."""
    users: dict[tuple[str, str], list[tuple[Circuit, Side]]] = {}
    for circuit, path in zip(circuits, paths, strict=True):
        for node, side, _ in _node_sides(circuit, path):
            pool = topology.network.slot_pool(node, circuit.slice)
            users.setdefault((node, pool), []).append((circuit, side))
    divided = {}
    for (node, _), sides in users.items():
        total = topology.devices[node].features.slots
        demands = [Demand(circuit.name, circuit.slots) for circuit, _ in sides]
        foreign = foreign_slots(topology.network, node, sides[0][0].slice)
        held = reserved.get(node, ())
        try:
            ranges = divide(node, total, demands, [*taken.slots.get(node, ()), *foreign, *held])
        except SlotsError as error:
            count = sum(slots.count for slots in held)
            if not count:
                raise
            text = f"{error.problem}; the link layer has {count} (link_slots in the network file)"
            raise SlotsError(text, node=node) from error
        for (circuit, side), slots in zip(sides, ranges, strict=True):
            divided[circuit.name, node, side] = slots
    return divided


def _hops(
    network: Network,
    circuit: Circuit,
    path: Sequence[Link],
    slots: dict[tuple[str, str, Side], Slots],
    taken: _Taken,
    rounds_on: Sequence[int],
) -> list[HopPlan]:
    labels = {link.index: taken.label(link) for link in path}
    bright_states = dict(zip((link.index for link in path), circuit.bright_states, strict=False))
    fed = {link.index for link, rounds in zip(path, rounds_on, strict=True) if rounds}
    sides: dict[str, list[SidePlan]] = {}
    for node, side, link in _node_sides(circuit, path):
        port = link.end(node).port
        sides.setdefault(node, []).append(
            SidePlan(
                side=side,
                link=link,
                port=port,
                number=link.end(node).number + DISTILLED_LINKS * (link.index in fed),
                label=labels[link.index],
                neighbour=link.far(node).node,
                slots=slots[circuit.name, node, side],
                group=taken.group(node, device_replicas(port, side)),
                bright_state=bright_states.get(link.index, 0),
                is_fed=link.index in fed,
            )
        )
    hops = []
    for node, (first, *rest) in sides.items():
        both = taken.group(node, both_replicas(first.port, rest[0].port)) if rest else 0
        hops.append(
            HopPlan(
                node,
                taken.circuit_id(node),
                (first, *rest),
                both,
                circuit.slice,
                slices.number(network, circuit.slice),
                Request[circuit.request.upper()],
                circuit.complete,
            )
        )
    return hops
