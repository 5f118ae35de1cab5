"""Two ends of a distributed queue on a bad channel, with an EGP that does nothing but listen."""

from __future__ import annotations

from qplane.link.dqp import DistributedQueue
from qplane.link.items import Item
from qplane.link.mhp import QueueId
from qplane.wire.dqp import DqpBody, DqpReason
from qplane.wire.qci import Body, QciType

from .world import US, Channel, Faults, World

ROUND_TRIP_PS = 100 * US


class End:
    """One end, and its user (:class:`qplane.link.dqp.DqpUser`)."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.channel: Channel
        self.accepts = True
        self.items: dict[QueueId, Item] = {}
        self.ended: dict[int, str] = {}  # own create ids that came to nothing, and why
        self.given: list[tuple[QueueId, int]] = []  # places in the order in which they came
        self._finish = 0
        self.next_create_id = 0
        self.queue = DistributedQueue(
            is_master=number == 0,
            node_id=number,
            timers=world,
            round_trip_ps=ROUND_TRIP_PS,
            send=self._send,
            user=self,
        )

    def _send(self, type: QciType, body: DqpBody) -> None:
        self.channel.send(type, body)

    def receive(self, type: QciType, body: Body) -> None:
        assert isinstance(body, DqpBody)
        self.queue.receive(type, body)

    def add(self, queue: int) -> int:
        create_id = self.next_create_id
        self.next_create_id = (create_id + 1) % 0x10000
        self.queue.add(
            DqpBody(queue_id=queue, origin_node_id=self.number, create_id=create_id, number=1)
        )
        return create_id

    # ---- DqpUser ----

    def admit(self, terms: DqpBody) -> DqpReason:
        return DqpReason.NONE if self.accepts else DqpReason.POLICY

    def start_cycle(self) -> int:
        return self.world.now_ps() // US + 100

    def virtual_finish(self, queue: int, cycles: int) -> int:
        self._finish += 1
        return self._finish

    def expected_seq(self) -> int:
        return 1

    def added(self, item: Item) -> None:
        assert item.id not in self.items, "a place was given twice"
        self.items[item.id] = item

    def refused(self, create_id: int, reason: DqpReason) -> None:
        self.ended[create_id] = reason.name

    def unanswered(self, create_id: int) -> None:
        self.ended[create_id] = "unanswered"

    def withdrawn(self, item: Item) -> None:
        del self.items[item.id]

    def standing(self, item: Item, closing: bool) -> DqpReason:
        return DqpReason.HOLDING

    def stands(self, item: Item, reason: DqpReason) -> None:
        pass


class Pair:
    """Ends 0 (master) and 1."""

    def __init__(self, seed: int = 1, faults: Faults | None = None) -> None:
        self.world = World(seed)
        self.faults = faults or Faults()
        self.ends = (End(self.world, 0), End(self.world, 1))
        for end in self.ends:
            far = self.ends[1 - end.number]
            end.channel = Channel(self.world, ROUND_TRIP_PS // 2, far.receive, self.faults)

    def close(self, item: Item) -> None:
        """Both ends have made its pairs."""
        for end in self.ends:
            own = end.items.pop(item.id, None)
            if own is not None:
                end.queue.close(own)

    def common(self) -> list[Item]:
        """Items that both ends have, as the master has them, by queue and place."""
        master, slave = self.ends
        return [
            item
            for queue in range(8)
            for item in master.queue.order(queue)
            if slave.items.get(item.id, None) is not None and slave.items[item.id].key == item.key
        ]

    def settle(self) -> None:
        """End the disturbance and let everything come to rest."""
        self.faults.loss = self.faults.duplication = self.faults.reordering = 0.0
        self.world.run(
            lambda: all(end.queue.is_settled for end in self.ends),
            for_ps=20_000 * ROUND_TRIP_PS,
        )
        self.world.run(for_ps=20 * ROUND_TRIP_PS)
