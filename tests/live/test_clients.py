"""p4runtime-shell and finsy, unmodified, on running networks: the same on both targets.

The replicas of a multicast group are a set: BMv2 does not give them back in the order written.
"""

import asyncio
import subprocess
from pathlib import Path

import finsy as fy
import pytest

from live.running import BMV2, Up
from qplane.control.program import schema
from qplane.net import QUANTUM_PORT
from qplane.wire import WHOLE_DEVICE, DeviceFrame, DeviceType, Transaction

SHELL = Path(__file__).parents[2] / ".venv-shell/bin/python"
TABLES = [table.alias for table in schema().tables]
NODE = 1  # in the order of the file: the repeater
QUESTION = DeviceFrame(DeviceType.FEATURES_REQUEST, WHOLE_DEVICE, Transaction(0xABCDEF)).to_bytes()
FOREIGN = "02:00:00:00:00:99"

pytestmark = pytest.mark.skipif(
    not SHELL.exists(), reason="`make venv-shell` prepares p4runtime-shell"
)

TARGETS = [
    pytest.param([], id="embedded"),
    BMV2,
]


@pytest.fixture(scope="module", params=TARGETS)
def up(request, tmp_path_factory):
    with Up(tmp_path_factory.mktemp("run"), *request.param) as network:
        yield network


@pytest.fixture(scope="module")
def seen():
    """What each client read, over both targets."""
    return {}


def shell(switch, election_id, script):
    """What a script prints in p4runtime-shell."""
    host, port = switch["address"].split(":")
    setup = (
        "import p4runtime_sh.shell as sh\n"
        f"sh.setup(device_id={switch['device_id']}, grpc_addr='{host}:{port}', "
        f"election_id=(0, {election_id}), verbose=False)\n"
    )
    done = subprocess.run(
        [SHELL, "-c", setup + script + "\nsh.teardown()\n"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


READ = f"""
for name in {TABLES!r}:
    for text in sorted(str(entry.msg()) for entry in sh.TableEntry(name).read()):
        print(name, text.replace(chr(10), " "))
for group in sorted(sh.MulticastGroupEntry().read(), key=lambda group: group.group_id):
    print("group", group.group_id, sorted((r.egress_port, r.instance) for r in group.replicas))
"""


def test_the_shell_reads_the_same_on_both(up, seen):
    said = shell(up.status["switches"][NODE], 1, READ)
    assert "circuit " in said
    assert "group " in said
    seen.setdefault("shell", []).append(said)
    first, *others = [text.splitlines() for text in seen["shell"]]
    for other in others:
        assert other == first


def test_finsy_reads_the_same_on_both(up, seen):
    async def read():
        switch = up.status["switches"][NODE]
        options = fy.SwitchOptions(
            device_id=switch["device_id"], p4info=schema().p4info, initial_election_id=1
        )
        async with fy.Switch("sw", switch["address"], options) as sw:
            entries = [str(entry) async for entry in sw.read([fy.P4TableEntry()])]
            groups = [group async for group in sw.read([fy.P4MulticastGroupEntry()])]
        replicas = {
            group.multicast_group_id: {(r.port, r.instance) for r in group.replicas}
            for group in groups
        }
        return sorted(entries), replicas

    found = asyncio.run(asyncio.wait_for(read(), 30))
    assert all(len(part) > 2 for part in found)
    seen.setdefault("finsy", []).append(found)
    for other in seen["finsy"]:
        assert other == seen["finsy"][0]


TALK = f"""
packets = sh.PacketIn()
sh.PacketOut(bytes.fromhex({QUESTION.hex()!r}), egress_port="{QUANTUM_PORT}", pad="0").send()
for message in packets.sniff(timeout=3):
    print(message.packet.payload.hex())
"""

WRITE = f"""
entry = sh.TableEntry("l2")(action="forward")
entry.match["hdr.ethernet.dst"] = "{FOREIGN}"
entry.action["port"] = "1"
entry.insert()
print(len(list(sh.TableEntry("l2").read())), "in l2")
"""


def test_the_shell_writes_and_sends_packets_and_then_the_controller_is_back(up):
    """With a higher election id. What it leaves behind is not intended, so it goes."""
    said = shell(up.status["switches"][NODE], 2**40, TALK + WRITE)
    *answers, last = said.splitlines()
    assert last == "1 in l2"
    packets = [bytes.fromhex(answer) for answer in answers]
    frames = [frame for packet in packets for frame in DeviceFrame.list_from_bytes(packet)]
    types = [frame.type for frame in frames if frame.body.transaction == 0xABCDEF]
    assert types.count(DeviceType.DEVICE_FEATURES) == 1
    assert types.count(DeviceType.LINK_FEATURES) == 2
    up.wait_for_line("standing by until it leaves")
    up.wait_for_line("primary: primary with election id")
    said = shell(up.status["switches"][NODE], 1, "print(len(list(sh.TableEntry('l2').read())))")
    assert said.splitlines()[-1] == "0"
    delivered = up.now()["delivered"]
    status = up.wait_for(lambda status: status["delivered"] > delivered + 10)
    assert status["circuits"][0]["wrong_frames"] == 0
