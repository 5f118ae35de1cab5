"""`qplane teleport`: a state over the pairs of a running network's circuit."""

from __future__ import annotations

import json

from qplane.cli.acting import call
from qplane.cli.errors import FAILED, fail


def run(
    net: str | None,
    as_json: bool,
    source: str,
    target: str,
    state: str,
    count: int,
    circuit: str | None,
    timeout: float,
) -> None:
    """The whole command."""
    found = call(
        net,
        "circuit.teleport",
        source=source,
        target=target,
        state=state,
        count=count,
        circuit=circuit,
        timeout=timeout,
    )
    done = found["teleported"]
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif done:
        print(
            f"TELEPORT {found['circuit']}: {state} from {source} to {target}, {done} times\n"
            f"{found['found']} arrived in that state: "
            f"fidelity {found['fidelity']:.4f} ± {found['standard_error']:.4f}\n"
            f"from the sender's measurement to the receiver's: {found['wait_ms']:.3f} ms"
        )
    if done < count:
        fail(f"{done} of {count} within {timeout:g} s of the network's time", FAILED)
