"""Whether a graph has a cycle."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def has_cycle(edges: Mapping[str, Collection[str]]) -> bool:
    """Whether some node can be reached from itself; targets need not be nodes themselves."""
    incoming = dict.fromkeys(edges, 0)
    for targets in edges.values():
        for name in targets:
            incoming[name] = incoming.get(name, 0) + 1
    ready = [name for name, count in incoming.items() if not count]
    done = 0
    while ready:
        done += 1
        for name in edges.get(ready.pop(), ()):
            incoming[name] -= 1
            if not incoming[name]:
                ready.append(name)
    return done != len(incoming)
