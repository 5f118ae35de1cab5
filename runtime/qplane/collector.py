"""How often Python looks for garbage, in the processes that hold a network.

A network of a thousand nodes is millions of objects, made one after the other and all kept. With
Python's own thresholds the collector goes through them again and again, which takes a third of the
time of setting the network up, and finds nothing. What the runtime drops is freed by its reference
count; cycles, which only the collector frees, are few.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 200_000, 50, 50


def collect_seldom() -> None:
    """For the rest of this process; called once by whoever owns it (a command, a benchmark)."""
    gc.collect()
    gc.freeze()  # what the imports made stays for ever
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
