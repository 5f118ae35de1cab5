"""finsy's protobuf messages without its clients, which a switch has no use for.

``import finsy.proto`` runs finsy's own ``__init__``, which imports asyncio clients for P4Runtime
and gNMI: a quarter of a switch's time to start.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from types import ModuleType


def load_messages() -> None:
    """Import ``finsy.proto`` alone. A later ``import finsy`` gives all of it."""
    if "finsy" in sys.modules:
        return
    spec = PathFinder.find_spec("finsy")
    if spec is None or spec.submodule_search_locations is None:
        return  # whoever imports it says what is missing
    parent = ModuleType("finsy")
    parent.__path__ = list(spec.submodule_search_locations)
    sys.modules["finsy"] = parent
    try:
        importlib.import_module("finsy.proto")
    finally:
        del sys.modules["finsy"]
