"""The packet loops in C: between sockets, and from capture file to capture file."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qplane_cext.switch.afpacket import PacketLoop
from qplane_cext.switch.core import Pipeline, SwitchCore
from qplane_cext.switch.pcapfiles import PcapFiles

from ..captures import read_pcap

PROGRAM = Path(__file__).parents[3] / "p4src" / "build" / "qnode.json"
CPU_PORT = 510
TO_ONE = bytes.fromhex("020000000aaa")  # a station on port 1


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(PROGRAM.read_bytes())


@pytest.fixture
def core(pipeline: Pipeline) -> SwitchCore:
    """qnode.p4 that forwards frames for TO_ONE to port 1."""
    core = SwitchCore(cpu_port=CPU_PORT)
    core.commit(pipeline)
    forward = next(
        action
        for action in pipeline.actions["QnodeIngress.classical.forward"]
        if action.param_bitwidths == (9,)
    )
    core.table_add(
        "QnodeIngress.classical.l2", [TO_ONE], 0, ("action", forward.action_id, [b"\0\1"])
    )
    return core


def frame(number: int, size: int = 60) -> bytes:
    return (TO_ONE + bytes(6) + b"\x12\x34" + number.to_bytes(4, "big")).ljust(size, b"\0")


Seen = tuple[int, bool, bytes]  # port, is it sent, packet


class Wires:
    """Two ports of a PacketLoop; ``a`` and ``b`` are the far ends."""

    def __init__(self, core: SwitchCore, *, watched: bool = False) -> None:
        self.seen: list[Seen] = []
        self.to_cpu: list[bytes] = []
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        (self._port0, self.a), (self._port1, self.b) = pairs
        for end in (self.a, self.b):
            end.settimeout(5)
        self._wake_read, self._wake_write = os.pipe()
        self.loop = PacketLoop(
            core,
            [(0, self._port0.fileno()), (1, self._port1.fileno())],
            CPU_PORT,
            lambda *packets: self.to_cpu.extend(packets),
            (lambda *seen: self.seen.append(seen)) if watched else None,
        )
        self.thread = threading.Thread(target=self.loop.run, args=(self._wake_read,))
        self.thread.start()

    def slow_down(self) -> None:
        """Let port 1 take few frames before the far end reads them."""
        self._port1.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    def close_loop(self) -> None:
        os.write(self._wake_write, b"x")
        self.thread.join(5)
        assert not self.thread.is_alive()

    def close(self) -> None:
        self.close_loop()
        for end in (self.a, self.b, self._port0, self._port1):
            end.close()
        os.close(self._wake_read)
        os.close(self._wake_write)


@pytest.fixture
def wires(core: SwitchCore) -> Iterator[Wires]:
    wires = Wires(core)
    yield wires
    wires.close()


def test_frames_leave_in_order_on_their_port(wires: Wires) -> None:
    for start in range(0, 600, 50):
        for number in range(start, start + 50):
            wires.a.send(frame(number))
        for number in range(start, start + 50):
            assert wires.b.recv(2048) == frame(number)
    wires.close_loop()  # a frame arrives before the system call that sends it returns
    assert wires.loop.counters["received"] == wires.loop.counters["sent"] == 600
    assert wires.loop.counters["send_dropped"] == 0


@pytest.mark.parametrize("size", [18, 60, 1514, 9014])
def test_frames_keep_their_length(wires: Wires, size: int) -> None:
    wires.a.send(frame(1, size))
    assert wires.b.recv(65536) == frame(1, size)


def test_frames_wait_for_a_port_that_takes_no_more(core: SwitchCore, wires: Wires) -> None:
    wires.slow_down()
    for number in range(50):  # more than the far end's socket holds, less than the queue does
        wires.a.send(frame(number))
    for number in range(50):
        assert wires.b.recv(2048) == frame(number)
    assert wires.loop.counters["send_dropped"] == core.stats["dropped_queue"] == 0


def test_a_full_queue_drops_and_the_port_goes_on(core: SwitchCore, wires: Wires) -> None:
    wires.slow_down()
    for number in range(400):
        wires.a.send(frame(number))
    arrived: list[bytes] = []

    def lost() -> int:
        return core.stats["dropped_queue"] + int(wires.loop.counters["send_dropped"])

    while len(arrived) + lost() < 400:
        arrived.append(wires.b.recv(2048))
    assert arrived[:64] == [frame(number) for number in range(64)]
    assert arrived == sorted(arrived)
    assert lost() > 0
    wires.a.send(frame(1000))
    assert wires.b.recv(2048) == frame(1000)


def test_dropped_frames_leave_nowhere(wires: Wires) -> None:
    wires.a.send(bytes(60))  # no station has address 0
    wires.a.send(b"\x01")  # shorter than an Ethernet header
    wires.a.send(frame(7))
    assert wires.b.recv(2048) == frame(7)


def test_frames_for_the_cpu_port_are_handed_over(core: SwitchCore, pipeline: Pipeline) -> None:
    kind = next(iter(pipeline.actions["QnodeIngress.set_port_kind"]))
    core.table_add(
        "QnodeIngress.port_kind", [b"\0\0"], 0, ("action", kind.action_id, [b"\2", b"\0"])
    )
    wires = Wires(core)
    features = bytes.fromhex("02000000000102000000000288b61042ff00") + bytes(44)
    wires.a.send(features)
    wires.a.send(frame(1))
    assert wires.b.recv(2048) == frame(1)
    wires.close()
    assert [packet[4:] for packet in wires.to_cpu] == [features]


def test_who_watches_sees_each_frame_come_and_leave_in_order(core: SwitchCore) -> None:
    wires = Wires(core, watched=True)
    expected: list[Seen] = []
    for number in range(100):
        wires.a.send(frame(number))
        expected += [(0, False, frame(number)), (1, True, frame(number))]
    wires.a.send(bytes(60))  # goes nowhere
    for number in range(100):
        assert wires.b.recv(2048) == frame(number)
    wires.a.send(frame(100))
    assert wires.b.recv(2048) == frame(100)
    wires.close()
    assert wires.seen == [
        *expected, (0, False, bytes(60)), (0, False, frame(100)), (1, True, frame(100))
    ]  # fmt: skip


def write_capture(
    path: Path, packets: list[bytes], order: str = "<", magic: int = 0xA1B2C3D4
) -> None:
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for number, packet in enumerate(packets):
        data += struct.pack(order + "IIII", number, 5, len(packet), len(packet)) + packet
    path.write_bytes(data)


def capture_loop(core: SwitchCore, folder: Path) -> PcapFiles:
    files = [(port, folder / f"{port}_in.pcap", folder / f"{port}_out.pcap") for port in (0, 1)]
    return PcapFiles(core, files, CPU_PORT, lambda *packets: None)


def packets(path: Path) -> list[bytes]:
    return [record.data for record in read_pcap(path)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_captures_of_any_byte_order_and_resolution(
    core: SwitchCore, tmp_path: Path, order: str, magic: int
) -> None:
    write_capture(tmp_path / "0_in.pcap", [frame(n) for n in range(3000)], order, magic)
    write_capture(tmp_path / "1_in.pcap", [])
    loop = capture_loop(core, tmp_path)
    assert loop.run() == 3000
    loop.close()
    assert packets(tmp_path / "1_out.pcap") == [frame(n) for n in range(3000)]
    assert packets(tmp_path / "0_out.pcap") == []


def test_who_watches_captures_sees_each_packet_in_order(core: SwitchCore, tmp_path: Path) -> None:
    write_capture(tmp_path / "0_in.pcap", [frame(0), bytes(60), frame(1)])
    write_capture(tmp_path / "1_in.pcap", [])
    files = [(port, tmp_path / f"{port}_in.pcap", tmp_path / f"{port}_out.pcap") for port in (0, 1)]
    seen: list[Seen] = []
    loop = PcapFiles(core, files, CPU_PORT, lambda *_: None, lambda *one: seen.append(one))
    assert loop.run() == 3
    loop.close()
    assert seen == [
        (0, False, frame(0)), (1, True, frame(0)), (0, False, bytes(60)),
        (0, False, frame(1)), (1, True, frame(1)),
    ]  # fmt: skip
    assert packets(tmp_path / "1_out.pcap") == [frame(0), frame(1)]


def test_inputs_are_merged_by_time(core: SwitchCore, tmp_path: Path) -> None:
    for port in (0, 1):
        write_capture(tmp_path / f"{port}_in.pcap", [frame(port * 100 + n) for n in range(3)])
    loop = capture_loop(core, tmp_path)
    loop.run()
    loop.close()
    numbers = [int.from_bytes(packet[14:18], "big") for packet in packets(tmp_path / "1_out.pcap")]
    assert numbers == [0, 100, 1, 101, 2, 102]


def test_a_record_that_is_cut_short_ends_the_run_with_an_error(
    core: SwitchCore, tmp_path: Path
) -> None:
    write_capture(tmp_path / "0_in.pcap", [frame(n) for n in range(3)])
    write_capture(tmp_path / "1_in.pcap", [])
    content = (tmp_path / "0_in.pcap").read_bytes()
    (tmp_path / "0_in.pcap").write_bytes(content[:-1])
    loop = capture_loop(core, tmp_path)
    with pytest.raises(ValueError, match=r"0_in\.pcap: cut short at byte 176"):
        loop.run()
    loop.close()
    assert packets(tmp_path / "1_out.pcap") == [frame(0), frame(1)]


@pytest.mark.parametrize(
    "content", [b"", b"\xd4\xc3\xb2", bytes(24), b"not a capture file at all!"]
)
def test_what_is_no_capture_file_is_refused(
    core: SwitchCore, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "0_in.pcap").write_bytes(content)
    write_capture(tmp_path / "1_in.pcap", [])
    with pytest.raises(ValueError, match=r"0_in\.pcap: not a pcap file"):
        capture_loop(core, tmp_path)


def test_a_packet_sent_from_outside_is_appended(core: SwitchCore, tmp_path: Path) -> None:
    for port in (0, 1):
        write_capture(tmp_path / f"{port}_in.pcap", [])
    loop = capture_loop(core, tmp_path)
    assert loop.run() == 0
    loop.send(1, b"packet-out")
    loop.send(77, b"no such port")
    assert packets(tmp_path / "1_out.pcap") == [b"packet-out"]
    loop.close()
