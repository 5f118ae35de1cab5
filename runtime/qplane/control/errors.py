"""What can go wrong between the controller and the network: one class per kind of failure.

Each message is one line that names the node and, where there is one, the table and the entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ControlError(Exception):
    """Base of all errors of the controller; `node` is the node concerned, "" if none is."""

    def __init__(self, problem: str, *, node: str = "") -> None:
        super().__init__(f"{node}: {problem}" if node else problem)
        self.node = node
        self.problem = problem


class ConnectionFailedError(ControlError):
    """A switch can't be reached, or its stream broke."""


class ArbitrationError(ControlError):
    """Another controller is the primary of a switch; `election_id` is its, 0 if not known."""

    def __init__(self, problem: str, *, node: str = "", election_id: int = 0) -> None:
        super().__init__(problem, node=node)
        self.election_id = election_id


class PipelineError(ControlError):
    """A switch refused the P4 program."""


class NoPathError(ControlError):
    """No chain of quantum links joins the ends of a circuit."""


class SlotsError(ControlError):
    """More circuits than memory slots."""


class RefusedError(ControlError):
    """What a circuit asks for can't be promised; the text says what could."""


class ExhaustedError(ControlError):
    """No label, circuit number or multicast group is left."""


class DiscoveryError(ControlError):
    """What a device says of itself contradicts the network file."""


class DeviceError(ControlError):
    """A quantum device refused a command or gave no answer."""


class StoreError(ControlError):
    """The store of the controller's intent can't be used."""


class DrainError(ControlError):
    """Qubits stayed in memory for longer than their cut-off allows."""


@dataclass(frozen=True)
class Failure:
    """One update that a switch refused: what it was, P4Runtime's code and message."""

    node: str
    operation: str  # INSERT, MODIFY, DELETE
    table: str  # "multicast group" for those
    entry: str
    code: str
    message: str

    def __str__(self) -> str:
        text = f"{self.node}: {self.operation} {self.table} {self.entry}: {self.code}"
        return f"{text}: {self.message}" if self.message else text


class WriteError(ControlError):
    """A change was refused by a switch and undone on all of them.

    `failures` are the updates refused, in order of node and update. `left_behind` says what could
    not be undone, empty as a rule.
    """

    def __init__(self, failures: Sequence[Failure], left_behind: Sequence[str] = ()) -> None:
        first = failures[0]
        text = str(first).removeprefix(f"{first.node}: ")
        if len(failures) > 1:
            text += f" (and {len(failures) - 1} more)"
        if left_behind:
            text += f"; could not be undone: {'; '.join(left_behind)}"
        super().__init__(text, node=first.node)
        self.failures = tuple(failures)
        self.left_behind = tuple(left_behind)
