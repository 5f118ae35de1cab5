"""qplane: a P4-programmable data plane for networks that are classical and quantum at once."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qplane_cext.memory.core import GateNoise, QuantumMemory

__all__ = ["GateNoise", "QuantumMemory", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Loads the compiled memory when it is first asked for: ``import qplane`` stays fast."""
    if name in ("GateNoise", "QuantumMemory"):
        from qplane_cext.memory import core

        return getattr(core, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
