"""Planning: from requests and what the devices say to paths, slots, cut-offs, and promises.

Pure: nothing here talks to a switch or knows of the network file's physics.
"""

from qplane.control.planning.load import Load, Promise, Use
from qplane.control.planning.model import pair_ps
from qplane.control.planning.options import can_distil
from qplane.control.planning.planner import Choice, check_turns, choose

__all__ = ["Choice", "Load", "Promise", "Use", "can_distil", "check_turns", "choose", "pair_ps"]
