"""The controller: programs the switches of a network over P4Runtime, sets up quantum circuits.

>>> from qplane.control import Controller
>>> from qplane.clock import RealClock
"""

from qplane.control.controller import Controller, Difference
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
    WriteError,
)
from qplane.control.generation import LinkStatus
from qplane.control.plans import CircuitPlan

__all__ = [
    "ArbitrationError",
    "CircuitPlan",
    "ConnectionFailedError",
    "ControlError",
    "Controller",
    "DeviceError",
    "Difference",
    "DiscoveryError",
    "DrainError",
    "ExhaustedError",
    "Failure",
    "LinkStatus",
    "NoPathError",
    "PipelineError",
    "RefusedError",
    "SlotsError",
    "WriteError",
]
