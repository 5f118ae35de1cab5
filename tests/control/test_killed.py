"""kill -9 of a controller in the middle of a change: the next one with its store puts it right.

The controller is a process that kills itself when it is about to make its n-th write request of the
change, or has just had the answer.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from finsy.proto import p4r

from qplane.clock import RealClock
from qplane.control import Controller, tables
from qplane.control.client import grpc_client
from qplane.control.program import schema
from qplane.net import Circuit, loads

from .bmv2 import Bmv2Fabric
from .fabric import Fabric

TEXT = """
[network]
name = "killed"
[memories.m]
slots = 24
[nodes]
n0 = { memory = "m" }
n1 = { memory = "m" }
n2 = { memory = "m" }
n3 = { memory = "m" }
[[links]]
between = ["n0", "n1"]
length = "1 km"
[[links]]
between = ["n1", "n2"]
length = "1 km"
[[links]]
between = ["n0", "n3"]
length = "5 km"
[[links]]
between = ["n3", "n2"]
length = "5 km"
[[circuits]]
name = "stays"
from = "n0"
to = "n2"
slots = 2
[[circuits]]
name = "changes"
from = "n2"
to = "n0"
slots = 2
"""

TARGETS = [
    "embedded",
    pytest.param(
        "bmv2",
        marks=(pytest.mark.bmv2, pytest.mark.slow),
    ),
]


class Mortal:
    """A P4Runtime client of a controller that dies with its n-th write request."""

    left: int | None = None  # write requests until then, of all clients; None: it lives
    answered = False  # whether the switches have that request before

    def __init__(self, node, address):
        self._client = grpc_client(node, address)

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def request(self, message):
        is_last = False
        if Mortal.left is not None and isinstance(message, p4r.WriteRequest):
            Mortal.left -= 1
            is_last = Mortal.left == 0
        if is_last and not Mortal.answered:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await self._client.request(message)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def around(network):
    """The circuit that changes, by the longer way."""
    circuit = network.circuits["changes"]
    long_way = (network.links[3], network.links[2])
    return Circuit(**{**vars(circuit), "path": long_way})


async def change(what, addresses, store, left, answered):
    """What the controller does that dies."""
    network = loads(TEXT)
    controller = Controller(network, addresses, RealClock(), store=store, new_client=Mortal)
    await controller.connect()
    await controller.discover()
    await controller.install(["stays"] if what == "add" else None)
    await controller.start()
    Mortal.left, Mortal.answered = left, answered
    if what == "add":
        await controller.install(["changes"])
    elif what == "remove":
        await controller.remove("changes")
    else:
        await controller.reroute(around(network))
    raise SystemExit("the change was done before its controller died")


def addresses_of(fabric):
    return fabric.addresses if isinstance(fabric, Bmv2Fabric) else fabric.address


async def recover(fabric, store):
    """The next controller: what it wrote, the circuits that stand, and what then differs."""
    written = []

    class Watched(Mortal):
        async def request(self, message):
            if isinstance(message, p4r.WriteRequest):
                written.append(message)
            return await super().request(message)

    network = loads(TEXT)
    controller = Controller(
        network, addresses_of(fabric), fabric.clock, store=store, new_client=Watched
    )
    await controller.connect()
    try:
        await controller.check(audit=True)
        await controller.check(audit=True)
        touched = {
            f"{node}: {entry}"
            for node, entries in tables.circuit(network, controller.plans["stays"]).items()
            for entry in entries
            for message in written
            for update in message.updates
            if message.device_id == network.nodes[node].id
            and update.entity == entry.to_finsy().encode(schema())
        }
        differences = await controller.verify()
        circuits = dict(controller.circuits)
        draining = controller.draining
        await controller.teardown()
        left = {name: str(await controller.verify()) for name in network.nodes}
        return touched, circuits, draining, differences, left
    finally:
        await controller.close()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what, left", [("add", 2), ("add", 5), ("remove", 3), ("move", 6)])
def test_what_a_killed_controller_was_doing_is_put_right(tmp_path, what, left, answered, target):
    network = loads(TEXT)
    fabric = Fabric(network) if target == "embedded" else Bmv2Fabric(network, tmp_path)
    store = str(tmp_path / "intent.db")
    with fabric:
        child = subprocess.run(
            [
                *(sys.executable, "-m", "control.test_killed"),
                *(what, repr(addresses_of(fabric)), store, str(left), str(int(answered))),
            ],
            check=False,
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert child.returncode == -signal.SIGKILL, child.stderr
        touched, circuits, draining, differences, rest = asyncio.run(recover(fabric, store))
    assert touched == set()
    assert set(circuits) == ({"stays"} if what == "add" else {"stays", "changes"})
    assert draining == [] and differences == []
    assert set(rest.values()) == {"[]"}


if __name__ == "__main__":
    import ast

    what, where, store, left, answered = sys.argv[1:]
    asyncio.run(change(what, ast.literal_eval(where), store, int(left), bool(int(answered))))
