"""What the quantum memory raises. In every case nothing has been changed."""


class QuantumMemoryError(ValueError):
    """An argument that can't be accepted; the message begins with its name."""


class StaleHandleError(QuantumMemoryError, LookupError):
    """A handle that names no live qubit: freed, measured, or its slot is used again by now."""


class ClockError(QuantumMemoryError):
    """A time before the qubit's own clock: a qubit can't be aged backwards."""


class MemoryFullError(QuantumMemoryError):
    """No slot is left, in the memory or at the node."""


class TooManyQubitsError(QuantumMemoryError):
    """More than 8 qubits would need a Pauli vector of 4^n numbers; see docs/memory.md."""


class ForeignSlotError(QuantumMemoryError):
    """A slot that belongs to another node."""
