"""A circuit that is asked for while its network runs, in the words of a network file."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from qplane.net import schema
from qplane.net.load import explained
from qplane.net.model import DEFAULT_SLICE, Circuit, Network


class RequestError(ValueError):
    """A circuit that can't be asked for; one line that names the key and its value.

    `key` is None where it is several keys that don't go together; `problem` is what would be right.
    """

    def __init__(self, key: str | None, value: object, problem: str) -> None:
        super().__init__(problem if key is None else f'{key} = "{value}": {problem}')
        self.key = key
        self.problem = problem


def circuit_request(network: Network, wanted: Mapping[str, object]) -> Circuit:
    """The circuit that the keys of a [[circuits]] table describe; its path is left open.

    None stands for a key that is not there. Without `name` it is called after its ends. Raises
    RequestError.
    """
    keys = {key: value for key, value in wanted.items() if value is not None}
    if "name" not in keys:
        keys["name"] = f"{keys.get('from', '')}-{keys.get('to', '')}"
    try:
        section = schema.CircuitSection.model_validate(keys)
    except ValidationError as error:
        place, problem = explained(error)
        key = str(place[0]) if place else None
        raise RequestError(key, keys.get(key or ""), problem) from error
    for key, name in (("from", section.head), ("to", section.tail)):
        node = network.nodes.get(name)
        if node is None:
            known = ", ".join(network.nodes)
            raise RequestError(key, name, f"no such node; nodes: {known}")
        if not node.is_quantum:
            raise RequestError(key, name, "this node has no memory; no circuit ends there")
    if section.slice not in (None, DEFAULT_SLICE, *network.slices):
        known = ", ".join(network.slices) or "none"
        raise RequestError("slice", section.slice, f"no such slice; there are: {known}")
    return Circuit(
        name=section.name,
        head=section.head,
        tail=section.tail,
        slots=section.slots or 0,
        cutoff_ps=section.cutoff or 0,
        path=(),
        fidelity=section.fidelity or 0.0,
        rate_per_s=section.rate or 0.0,
        slice=section.slice or DEFAULT_SLICE,
        request=section.request,
        budget_ps=section.budget or 0,
        complete=section.complete,
        distil=section.distil,
        distil_links=section.distil_links,
    )
