"""One request in the distributed queue, as both ends know it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qplane.link.mhp import Measurement, QueueId
from qplane.wire.dqp import DqpBody
from qplane.wire.service import RequestType


@dataclass(frozen=True, slots=True)
class Item:
    """An accepted request. `terms` is what the two ends agreed on (its ADD, completed)."""

    id: QueueId
    terms: DqpBody

    @property
    def key(self) -> tuple[int, int]:
        """What the originator calls it: its node id and create id."""
        return self.terms.origin_node_id, self.terms.create_id

    @property
    def kind(self) -> RequestType:
        return self.terms.request_type

    @property
    def number(self) -> int:
        return self.terms.number

    @property
    def holds_all(self) -> bool:
        """See `would_hold_all`."""
        return self.would_hold_all(self.terms)

    @staticmethod
    def would_hold_all(terms: DqpBody) -> bool:
        """Whether all pairs must be in memory at once: atomic, or all OKs at the end."""
        return terms.request_type is RequestType.KEEP and (
            bool(terms.atomic) or not terms.consecutive
        )

    def measurement(self, at_origin: bool) -> Measurement:
        """The basis of this end's half."""
        t = self.terms
        if at_origin:
            return Measurement(
                t.random_basis_local,
                t.probability_local_1,
                t.probability_local_2,
                t.rotation_local_x1,
                t.rotation_local_y,
                t.rotation_local_x2,
            )
        return Measurement(
            t.random_basis_remote,
            t.probability_remote_1,
            t.probability_remote_2,
            t.rotation_remote_x1,
            t.rotation_remote_y,
            t.rotation_remote_x2,
        )


def agreed(terms: DqpBody, answer: DqpBody) -> Item:
    """The item that `terms` (an ADD) became by the other end's ACK."""
    return Item(
        QueueId(answer.queue_id, answer.queue_seq),
        replace(
            terms,
            expected_seq=0,  # of the message, not of the item
            queue_id=answer.queue_id,
            queue_seq=answer.queue_seq,
            start_cycle=answer.start_cycle,
            virtual_finish=answer.virtual_finish,
        ),
    )
