"""Bodies of the distributed queue protocol (DQP), on a link.

Two ends of a quantum link keep one queue of requests: the master gives every item its place.
One body serves all five messages, so that a pipeline knows its length from the type alone; what a
message does not need is 0. ``docs/link-layer.md`` has the rules.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from qplane.wire.layout import Layout, Record, enum, uint
from qplane.wire.service import RandomBasis, RequestType


class DqpReason(IntEnum):
    """What an answer says about an item."""

    NONE = 0
    POLICY = 1  # REJ: the purpose is not accepted here
    SLICE = 2  # REJ: the slice takes no more, or has not the memory
    UNKNOWN = 3  # ERR: no such item here, or not any more
    WITHDRAWN = 4  # ERR: the sender has given the item up; answered by ERR with UNKNOWN
    ASK = 5  # HELLO: how does this item stand with you?
    HOLDING = 6  # HELLO: it is not done yet
    DONE = 7  # HELLO: all its pairs are there
    CLOSE = 8  # HELLO: all its pairs are here; with you too?


@dataclass(frozen=True, slots=True)
class DqpBody(Record):
    """Body of DQP_ADD, DQP_ACK, DQP_REJ, DQP_HELLO and DQP_ERR.

    Cycles are those of the link's MHP; a ``timeout_cycle`` of 0 is no limit. From ``priority`` on
    the fields are those of the CREATE that the originator received.
    """

    LAYOUT: ClassVar = Layout(
        "DQP body",
        uint("comm_seq", 8),
        uint("queue_id", 8),
        uint("queue_seq", 8),
        enum("reason", 8, DqpReason),
        uint("expected_seq", 32),
        uint("origin_node_id", 32),
        uint("create_id", 16),
        uint("purpose_id", 16),
        uint("start_cycle", 64),
        uint("timeout_cycle", 64),
        uint("virtual_finish", 64),
        uint("cycles_per_pair", 32),
        uint("number", 16),
        uint("min_fidelity", 16),
        uint("bright_state", 16),
        uint("reserved", 16),
        uint("priority", 3),
        enum("request_type", 1, RequestType),
        uint("atomic", 1),
        uint("consecutive", 1),
        enum("random_basis_local", 2, RandomBasis),
        enum("random_basis_remote", 2, RandomBasis),
        uint("reserved2", 6),
        uint("probability_local_1", 8),
        uint("probability_local_2", 8),
        uint("probability_remote_1", 8),
        uint("probability_remote_2", 8),
        uint("rotation_local_x1", 8),
        uint("rotation_local_y", 8),
        uint("rotation_local_x2", 8),
        uint("rotation_remote_x1", 8),
        uint("rotation_remote_y", 8),
        uint("rotation_remote_x2", 8),
    )
    comm_seq: int = 0
    queue_id: int = 0
    queue_seq: int = 0
    reason: DqpReason = DqpReason.NONE
    expected_seq: int = 0
    origin_node_id: int = 0
    create_id: int = 0
    purpose_id: int = 0
    start_cycle: int = 0
    timeout_cycle: int = 0
    virtual_finish: int = 0
    cycles_per_pair: int = 0
    number: int = 0
    min_fidelity: int = 0
    bright_state: int = 0
    priority: int = 0
    request_type: RequestType = RequestType.KEEP
    atomic: int = 0
    consecutive: int = 0
    random_basis_local: RandomBasis = RandomBasis.NONE
    random_basis_remote: RandomBasis = RandomBasis.NONE
    probability_local_1: int = 0
    probability_local_2: int = 0
    probability_remote_1: int = 0
    probability_remote_2: int = 0
    rotation_local_x1: int = 0
    rotation_local_y: int = 0
    rotation_local_x2: int = 0
    rotation_remote_x1: int = 0
    rotation_remote_y: int = 0
    rotation_remote_x2: int = 0
