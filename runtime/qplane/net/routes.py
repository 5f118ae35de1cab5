"""Shortest paths by fibre length, for circuits (quantum links) and for classical traffic."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from qplane.net.model import Link


class NoPathError(ValueError):
    """No chain of usable links joins the two nodes."""


_Candidate = tuple[float, int, tuple[int, ...], str, tuple[Link, ...]]


class ShortestPaths:
    """The paths with the least fibre over the usable ones of some links.

    Ties go to fewer hops, then to the links that stand first in the file, so that the answer does
    not depend on anything else. A search from a node goes on where the last one from there ended.
    """

    def __init__(self, links: Iterable[Link], usable: Callable[[Link], bool]) -> None:
        self._around: dict[str, list[Link]] = {}
        for link in links:
            if usable(link):
                self._around.setdefault(link.a.node, []).append(link)
                self._around.setdefault(link.b.node, []).append(link)
        self._found: dict[str, dict[str, tuple[Link, ...]]] = {}
        self._queues: dict[str, list[_Candidate]] = {}

    def path(self, start: str, goal: str) -> tuple[Link, ...]:
        """The links from `start` to `goal`, in order. Raises NoPathError."""
        found = self._found.setdefault(start, {})
        queue = self._queues.setdefault(start, [(0.0, 0, (), start, ())])
        while goal not in found and queue:
            length, hops, order, node, path = heapq.heappop(queue)
            if node in found:
                continue
            found[node] = path
            for link in self._around.get(node, ()):
                far = link.far(node).node
                if far not in found:
                    further = (
                        length + link.length_m,
                        hops + 1,
                        (*order, link.index),
                        far,
                        (*path, link),
                    )
                    heapq.heappush(queue, further)
        if goal not in found:
            raise NoPathError(f"no path from {start} to {goal}")
        return found[goal]


def shortest_path(
    links: Iterable[Link], start: str, goal: str, usable: Callable[[Link], bool]
) -> tuple[Link, ...]:
    """One of :class:`ShortestPaths`. Raises NoPathError."""
    return ShortestPaths(links, usable).path(start, goal)
