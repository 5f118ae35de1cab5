"""Bodies of the entanglement generation protocol (EGP), on a link: EXPIRE, memory, outcomes.

``docs/link-layer.md`` has the rules.
"""

from dataclasses import dataclass
from typing import ClassVar

from qplane.wire.layout import Layout, Record, uint


@dataclass(frozen=True, slots=True)
class EgpBody(Record):
    """Body of EGP_EXPIRE, EGP_EXPIRE_ACK, EGP_MEMORY_REQUEST and EGP_MEMORY_ACK.

    EXPIRE: the pairs ``seq_low`` (inclusive) to ``seq_high`` (exclusive) are void; EXPIRE_ACK
    echoes both. ``expected_seq`` is the pair sequence number that the sender expects next. The
    memory messages carry the sender's free slots; ``serial`` orders them, as a network may not.
    """

    LAYOUT: ClassVar = Layout(
        "EGP body",
        uint("origin_node_id", 32),
        uint("seq_low", 32),
        uint("seq_high", 32),
        uint("expected_seq", 32),
        uint("free_communication", 16),
        uint("free_storage", 16),
        uint("serial", 32),
    )
    origin_node_id: int
    seq_low: int = 0
    seq_high: int = 0
    expected_seq: int = 0
    free_communication: int = 0
    free_storage: int = 0
    serial: int = 0


@dataclass(frozen=True, slots=True)
class OutcomesBody(Record):
    """Body of EGP_OUTCOMES: what the sender measured of test pairs from ``seq_low`` on.

    ``outcomes`` has four bits for each of 32 pairs, the first pair's leftmost: valid (1), basis (2:
    0 Z, 1 X, 2 Y), outcome (1).
    """

    LAYOUT: ClassVar = Layout(
        "EGP outcomes body",
        uint("seq_low", 32),
        uint("expected_seq", 32),
        uint("outcomes", 128),
    )
    seq_low: int
    expected_seq: int
    outcomes: int
