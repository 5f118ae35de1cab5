"""Shortest paths by fibre length, for circuits (quantum links) and for classical traffic."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from qplane.net.model import Link


class NoPathError(ValueError):
    """No chain of usable links joins the two nodes."""


def shortest_path(
    links: Iterable[Link], start: str, goal: str, usable: Callable[[Link], bool]
) -> tuple[Link, ...]:
    """The links from `start` to `goal` with the least fibre, in order. Raises NoPathError.

    Ties go to fewer hops, then to the links that stand first in the file, so that the answer does
    not depend on anything else.
    """
    around: dict[str, list[Link]] = {}
    for link in links:
        if usable(link):
            around.setdefault(link.a.node, []).append(link)
            around.setdefault(link.b.node, []).append(link)
    queue: list[tuple[float, int, tuple[int, ...], str, tuple[Link, ...]]] = [
        (0.0, 0, (), start, ())
    ]
    done: set[str] = set()
    while queue:
        length, hops, order, node, path = heapq.heappop(queue)
        if node == goal:
            return path
        if node in done:
            continue
        done.add(node)
        for link in around.get(node, ()):
            far = link.far(node).node
            if far not in done:
                heapq.heappush(
                    queue,
                    (
                        length + link.length_m,
                        hops + 1,
                        (*order, link.index),
                        far,
                        (*path, link),
                    ),
                )
    raise NoPathError(f"no path from {start} to {goal}")
