"""The embedded switch: a v1model target with a P4Runtime server, a command line and a library.

``Switch`` is loaded on first use: importing this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .library import Switch

__all__ = ["Switch"]


def __getattr__(name: str) -> object:
    if name == "Switch":
        from .library import Switch

        return Switch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
