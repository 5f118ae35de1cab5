"""The controller: programs the switches of a network over P4Runtime, sets up quantum circuits.

>>> from qplane.control import Controller
>>> from qplane.clock import RealClock
"""

from qplane.control.controller import Controller
from qplane.control.errors import (
    ArbitrationError,
    ConnectionFailedError,
    ControlError,
    DeviceError,
    DiscoveryError,
    DrainError,
    ExhaustedError,
    Failure,
    NoPathError,
    PipelineError,
    RefusedError,
    SlotsError,
    StoreError,
    WriteError,
)
from qplane.control.events import Event, EventKind
from qplane.control.generation import LinkStatus
from qplane.control.ping import Ping, Reply
from qplane.control.plans import CircuitPlan
from qplane.control.reconcile import Difference
from qplane.control.samples import Sample
from qplane.control.teleport import CARDINAL, BlochState, Teleportation

__all__ = [
    "CARDINAL",
    "ArbitrationError",
    "BlochState",
    "CircuitPlan",
    "ConnectionFailedError",
    "ControlError",
    "Controller",
    "DeviceError",
    "Difference",
    "DiscoveryError",
    "DrainError",
    "Event",
    "EventKind",
    "ExhaustedError",
    "Failure",
    "LinkStatus",
    "NoPathError",
    "Ping",
    "PipelineError",
    "RefusedError",
    "Reply",
    "Sample",
    "SlotsError",
    "StoreError",
    "Teleportation",
    "WriteError",
]
