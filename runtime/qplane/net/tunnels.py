"""What must hold of the tunnels of links: whose addresses they are, and a way between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qplane.net.errors import InconsistentError
from qplane.net.model import Host, Link
from qplane.net.routes import NoPathError, ShortestPaths


def check_tunnels(links: Sequence[Link], hosts: Mapping[str, Host]) -> None:
    """Raises InconsistentError."""
    owners = {host.ip: f"host {host.name}" for host in hosts.values()}
    pairs: dict[frozenset[str], int] = {}
    paths = ShortestPaths(links, lambda link: link.tunnel is None)
    for link in links:
        if link.tunnel is None:
            continue
        place = ("links", link.index, "tunnel")
        if not link.quantum:
            raise InconsistentError(
                place, "this link carries no qubits, so no circuit has messages for a tunnel"
            )
        for position, (end, address) in enumerate(zip((link.a, link.b), link.tunnel, strict=True)):
            owner = owners.setdefault(address, f"node {end.node}")
            if owner != f"node {end.node}":
                raise InconsistentError(
                    (*place, position),
                    f"{owner} has this address; one that is node {end.node}'s alone is wanted",
                )
        if pairs.setdefault(frozenset(link.tunnel), link.index) != link.index:
            raise InconsistentError(
                place,
                f"another link has a tunnel between {link.tunnel[0]} and {link.tunnel[1]}; "
                "one address has to differ",
            )
        try:
            paths.path(link.a.node, link.b.node)
        except NoPathError as error:
            raise InconsistentError(
                place,
                f"no way for the tunnel: no chain of links without a tunnel leads from "
                f"{link.a.node} to {link.b.node}",
            ) from error
