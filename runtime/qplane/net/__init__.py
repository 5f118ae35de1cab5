"""Networks: the file they are written in, and the model that everything else works from.

>>> from qplane.net import load
>>> network = load("examples/repeater.toml")
>>> [node.name for node in network.nodes.values()]
['alice', 'repeater', 'bob']
"""

from qplane.net.errors import NetworkFileError
from qplane.net.load import load, loads
from qplane.net.model import (
    CPU_PORT,
    DEFAULT_SLICE,
    GATEWAY_IP,
    QUANTUM_PORT,
    Circuit,
    Host,
    LabelPath,
    Link,
    LinkEnd,
    Network,
    Node,
    Ping,
    Slice,
    Telemetry,
)
from qplane.net.program_names import DROPS, PAIR_EVENTS

__all__ = [
    "CPU_PORT",
    "DEFAULT_SLICE",
    "DROPS",
    "GATEWAY_IP",
    "PAIR_EVENTS",
    "QUANTUM_PORT",
    "Circuit",
    "Host",
    "LabelPath",
    "Link",
    "LinkEnd",
    "Network",
    "NetworkFileError",
    "Node",
    "Ping",
    "Slice",
    "Telemetry",
    "load",
    "loads",
]
