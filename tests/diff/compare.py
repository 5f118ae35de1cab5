"""Feeds the same states and packets to two switches and says where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from random import Random

from finsy.proto import p4r

from qplane.switch import Switch

from . import packets
from .grammar import pool
from .life import LIVES
from .programs import CPU_PORT, Program
from .states import Known, StateMaker
from .status import bad_writes, is_explained
from .target import OK, Outputs, Packet, Target

BURST = 40
"""Packets under way at a time, in and out together: BMv2's egress queues drop at 64."""
ONE_BY_ONE = {"again", "combine", "replicate"}
"""Programs whose copies overtake each other in BMv2 (clones in egress, recirculation, two replicas
on one port): a packet at a time, and its copies in any order."""
SECONDS_OF_SILENCE = 0.02  # after which nothing more is under way
INSERT = p4r.Update.INSERT


Step = Packet | p4r.Update
"""What happens after a state is loaded: a packet comes in, or a write."""


@dataclass
class Difference(Exception):
    """Two switches did not do the same."""

    what: str
    state: Sequence[p4r.Update] = ()
    steps: Sequence[Step] = ()  # all since the state was loaded
    burst: Sequence[Packet] = ()  # those among which it showed
    seen: dict[str, object] = field(default_factory=dict)
    loading: bool = False  # it is not packets that differ, but whether the state is accepted

    def __str__(self) -> str:
        return self.what


def make_state(maker: StateMaker) -> list[p4r.Update]:
    """A random state in which every update is good; of two for one key the first is kept."""
    life = LIVES.get(maker.program.name)
    updates = life.entries(maker.program, maker.rng) if life else []
    state: dict[bytes, p4r.Update] = {}
    for update in [*updates, *maker.state()]:
        state.setdefault(_key(update.entity), update)
    return _in_order(list(state.values()))


def make_maker(program: Program, rng: Random) -> StateMaker:
    """What makes random entities for a program."""
    known: Known = {
        field.name: pool(program, field.bitwidth)
        for table in program.p4info.tables
        for field in table.match_fields
        if field.bitwidth
    }
    if program.name in LIVES:
        known = LIVES[program.name].known
    return StateMaker(program, rng, known, one_copy_a_port=program.name not in ONE_BY_ONE)


def _in_order(updates: Sequence[p4r.Update]) -> list[p4r.Update]:
    """Members before groups before entries."""
    kinds = ["packet_replication_engine_entry", "action_profile_member", "action_profile_group"]
    rank = {kind: place for place, kind in enumerate(kinds)}
    return sorted(updates, key=lambda update: rank.get(update.entity.WhichOneof("entity"), 9))


def _key(entity: p4r.Entity) -> bytes:
    if not entity.HasField("table_entry"):
        return entity.SerializeToString()
    entry = entity.table_entry
    key = p4r.TableEntry(
        table_id=entry.table_id, match=entry.match, is_default_action=entry.is_default_action
    )
    return key.SerializeToString()


class Pair:
    """The two switches, and a third in this process that foretells how many packets will leave."""

    def __init__(self, reference: Target, tested: Target) -> None:
        self.targets = (reference, tested)
        self.oracle: Switch
        self.state: Sequence[p4r.Update] = ()
        self.steps: Sequence[Step] = ()
        self.packets = 0
        self.bad_writes = 0
        self.outputs = 0

    def load(self, program: Program, state: Sequence[p4r.Update]) -> None:
        """A program with a state, fresh on all. Raises Difference."""
        # BMv2's replication engine keeps its groups when a new pipeline is pushed.
        old = [
            p4r.Update(type=p4r.Update.DELETE, entity=update.entity)
            for update in self.state
            if update.entity.HasField("packet_replication_engine_entry")
        ]
        if old:
            for target in self.targets:
                target.write(old)
        self.program, self.state, self.steps = program, state, ()
        self.oracle = Switch(program.json, program.p4info)
        self._const = {table.preamble.id for table in program.p4info.tables if table.is_const_table}
        for target in self.targets:
            target.push(program)
        self._write(state)

    def run(self, steps: Sequence[Step]) -> None:
        """Send packets and compare all that leaves. Raises Difference at the first burst."""
        self.steps = steps
        burst: list[Packet] = []
        wanted: Counter[int] = Counter()
        for step in steps:
            if isinstance(step, p4r.Update):
                self._exchange(burst, wanted)
                burst, wanted = [], Counter()
                self._let_through()  # what is dropped must meet the tables as they were
                self._write([step])
                continue
            port, data = step
            if burst and (port == CPU_PORT) != (burst[-1][0] == CPU_PORT):
                self._exchange(burst, wanted)
                burst, wanted = [], Counter()
            burst.append((port, data))
            wanted.update(out for out, _ in self.oracle.inject(port, data))
            if len(burst) + wanted.total() >= BURST or self.program.name in ONE_BY_ONE:
                self._exchange(burst, wanted)
                burst, wanted = [], Counter()
        self._exchange(burst, wanted)
        late = [target.wait({-1: 1}, SECONDS_OF_SILENCE) for target in self.targets]
        if any(late):
            self._differ("packets that nobody waited for", (), self._named(late))

    def _write(self, updates: Sequence[p4r.Update]) -> None:
        codes = [target.write(updates) for target in self.targets]
        for update, *said in zip(updates, *codes, strict=True):
            if said != [OK, OK]:
                raise Difference(f"a good write got {said}: {update}", loading=True)
            self.oracle.write(update.type, update.entity)

    def refuse(self, bad: Sequence[tuple[str, p4r.Update]]) -> None:
        """Make named writes that should fail, and compare the codes. Raises Difference."""
        for name, update in bad:
            (reference,), (tested,) = (target.write([update]) for target in self.targets)
            self.bad_writes += 1
            if reference != tested and not is_explained(name, reference, tested):
                raise Difference(
                    f"{self.program.name}: {name}: codes {reference} and {tested}: {update}",
                    loading=True,
                )

    def _exchange(self, burst: Sequence[Packet], wanted: Counter[int]) -> None:
        for target in self.targets:
            target.send(burst)
        seen = [target.wait(wanted) for target in self.targets]
        if burst and burst[0][0] == CPU_PORT:
            self._let_through()  # packet-outs come in beside the others
        if self.program.name in ONE_BY_ONE:
            seen = [{port: sorted(out) for port, out in outputs.items()} for outputs in seen]
        self.packets += len(burst)
        self.outputs += wanted.total()
        if seen[0] != seen[1]:
            where = [
                port for port in {**seen[0], **seen[1]} if seen[0].get(port) != seen[1].get(port)
            ]
            only = [{port: out.get(port, []) for port in where} for out in seen]
            self._differ(f"packets out of ports {where} differ", burst, self._named(only))

    def _let_through(self) -> None:
        """Wait for packets without an answer: nothing tells when they have been processed."""
        for target in self.targets:
            target.wait({-1: 1}, SECONDS_OF_SILENCE / 4)

    def finish(self) -> None:
        """Compare counters and entries. Raises Difference."""
        for query in queries(self.program):
            seen = [canonical(target.read(query), self._const) for target in self.targets]
            if seen[0] != seen[1]:
                only = [list((Counter(a) - Counter(b)).elements()) for a, b in (seen, seen[::-1])]
                what = f"read of {query.WhichOneof('entity')} differs"
                self._differ(what, (), {t.name: o for t, o in zip(self.targets, only, strict=True)})

    def _named(self, seen: Sequence[Outputs]) -> dict[str, object]:
        return {target.name: outputs for target, outputs in zip(self.targets, seen, strict=True)}

    def _differ(self, what: str, burst: Sequence[Packet], seen: dict[str, object]) -> None:
        raise Difference(f"{self.program.name}: {what}", self.state, self.steps, burst, seen)


def queries(program: Program) -> list[p4r.Entity]:
    """What can be read back of a program from BMv2: indexed and direct counters, and entries."""
    info = program.p4info
    queries = [
        p4r.Entity(counter_entry=p4r.CounterEntry(counter_id=counter.preamble.id))
        for counter in info.counters
    ]
    for table in info.tables:
        queries.append(p4r.Entity(table_entry=p4r.TableEntry(table_id=table.preamble.id)))
    for counter in info.direct_counters:
        query = p4r.Entity()
        query.direct_counter_entry.table_entry.table_id = counter.direct_table_id
        queries.append(query)
    return queries


def canonical(entities: Sequence[p4r.Entity], const: Set[int] = frozenset()) -> list[str]:
    """Entities as sorted text: neither their order nor that of match fields means anything.

    BMv2 gives const entries priorities of its own, and does not mark them.
    """
    shown = []
    for entity in entities:
        if entity.HasField("table_entry"):
            entity.table_entry.match.sort(key=lambda match: match.field_id)
            entity.table_entry.is_const = False
            if entity.table_entry.table_id in const:
                entity.table_entry.priority = 0
        shown.append(str(entity))
    return sorted(shown)


def compare(pair: Pair, program: Program, rng: Random, count: int) -> None:
    """A random state, packets, changes to the state, packets, counters and entries read back, and
    writes that should fail. Raises Difference."""
    maker = make_maker(program, rng)
    state = make_state(maker)
    steps: list[Step] = [*packets.sequence(program, state, rng, count)]
    steps[count // 2 : count // 2] = maker.changes(state)
    pair.load(program, state)
    pair.run(steps)
    pair.finish()
    pair.refuse(bad_writes(maker, rng))
