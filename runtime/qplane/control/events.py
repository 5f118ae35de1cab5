"""What a controller notices, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class EventKind(str, Enum):
    """What happened. The value is the name for users and machines."""

    SWITCH_LOST = "switch-lost"
    SWITCH_BACK = "switch-back"
    REPAIRED = "repaired"
    REPAIR_FAILED = "repair-failed"
    ROLLED_BACK = "rolled-back"
    DEVICE_JOINED = "device-joined"
    DEVICE_LEFT = "device-left"
    DEVICE_CHANGED = "device-changed"
    LINK_UP = "link-up"
    LINK_DOWN = "link-down"
    LINK_UNLISTED = "link-unlisted"
    MISWIRED = "miswired"
    CIRCUIT_UP = "circuit-up"
    CIRCUIT_DOWN = "circuit-down"
    CIRCUIT_REROUTED = "circuit-rerouted"
    CIRCUIT_RESTARTED = "circuit-restarted"
    STATION_RENUMBERED = "station-renumbered"
    TELEMETRY = "telemetry"
    ANOMALY = "anomaly"
    PRIMARY = "primary"
    BACK_UP = "back-up"


@dataclass(frozen=True)
class Event:
    """One line for the user, and what it is about ("": nothing of that kind)."""

    kind: EventKind
    text: str
    node: str = ""
    circuit: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"


class Events:
    """Subscribers of a controller's events."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[Event], None]] = []

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with each event, in the controller's event loop; it must not block.

        Returns what ends the subscription.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def tell(self, kind: EventKind, text: str, *, node: str = "", circuit: str = "") -> None:
        """Tell all subscribers."""
        event = Event(kind, text, node, circuit)
        for callback in tuple(self._subscribers):
            callback(event)
