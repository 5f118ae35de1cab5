"""The P4 program's counters, and the names of their indices."""

from qplane.net import DROPS
from qplane.net import PAIR_EVENTS as EVENTS

DROPS_INGRESS = "QnodeIngress.drops"
DROPS_EGRESS = "QnodeEgress.drops"
PAIR_EVENTS = "pair_events"

__all__ = ["DROPS", "DROPS_EGRESS", "DROPS_INGRESS", "EVENTS", "PAIR_EVENTS"]
