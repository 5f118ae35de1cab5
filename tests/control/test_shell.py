"""p4runtime-shell, a P4Runtime client that is not ours, on a network that a controller runs."""

import asyncio
import textwrap
from pathlib import Path

import pytest

from qplane.control import Controller, WriteError

from .fabric import Fabric
from .networks import chain

PYTHON = Path(__file__).parents[2] / ".venv-shell/bin/python"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="`make venv-shell` prepares p4runtime-shell"
)

SETUP = """
import p4runtime_sh.shell as sh
sh.setup(device_id=2, grpc_addr={address!r}, election_id=(0, {election_id}), verbose=False)
"""


async def shell(address: str, election_id: int, script: str) -> str:
    """What a script prints that runs in p4runtime-shell."""
    text = SETUP.format(address=address, election_id=election_id) + textwrap.dedent(script)
    process = await asyncio.create_subprocess_exec(
        PYTHON,
        "-c",
        text + "\nsh.teardown()\n",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return output.decode()


def test_it_reads_beside_the_controller_and_takes_over_when_it_wants_to_write():
    net = chain(3, circuits=[("c", "n0", "n2", "")])

    async def scenario():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock)
            await controller.connect()
            await controller.discover()
            await controller.install()
            said = await shell(
                fabric.address,
                1,
                """
                for name in ("circuit", "label_in", "pair_in", "adjacency", "port_kind"):
                    entries = list(sh.TableEntry(name).read())
                    print(name, len(entries), entries[0].action.action_name)
                groups = list(sh.MulticastGroupEntry().read())
                print("groups", [(r.egress_port, r.instance) for g in groups for r in g.replicas])
                entry = sh.TableEntry("l2")(action="forward")
                entry.match["hdr.ethernet.dst"] = "02:00:00:00:00:99"
                entry.action["port"] = "1"
                try:
                    entry.insert()
                except Exception as error:
                    print(type(error).__name__, error)
                """,
            )
            assert "You are not the primary client" in said
            assert "circuit 1 QnodeIngress.circuit.repeater" in said
            assert "label_in 2 QnodeIngress.circuit.set_circuit" in said
            assert "port_kind 3 QnodeIngress.set_port_kind" in said
            assert "groups [(1, 2), (509, 3), (2, 1), (509, 3), (1, 2), (2, 1)]" in said
            assert "PERMISSION_DENIED" in said
            assert await controller.verify() == []

            said = await shell(
                fabric.address,
                100,
                """
                entry = sh.TableEntry("l2")(action="forward")
                entry.match["hdr.ethernet.dst"] = "02:00:00:00:00:99"
                entry.action["port"] = "1"
                entry.insert()
                print(len(list(sh.TableEntry("l2").read())), "in l2")
                entry.delete()
                sh.PacketOut(b"from the shell", egress_port="3", pad="0").send()
                """,
            )
            assert "1 in l2" in said
            assert fabric.sent == [("n1", 3, b"from the shell")]
            assert await controller.verify() == []
            with pytest.raises(WriteError, match=r"n1: .* another controller is the primary"):
                await controller.teardown()
            await controller.close()

    asyncio.run(scenario())
