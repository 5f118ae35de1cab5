"""Operations over the socket: results, streams, mistakes, and dead networks."""

import asyncio
import fcntl
import math
import threading
from pathlib import Path

import pytest

from qplane.control import ControlError
from qplane.live import client, rundir
from qplane.live.api import NotRunningError, OperationError, WrongArgumentError
from qplane.live.server import OperationServer


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "qplane"


class Served:
    """A network of operations only, in a thread with a loop of its own."""

    def __init__(self, name="net"):
        self.ended = threading.Event()
        self._name = name
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def add(self, a, b=1):
        return {"sum": a + b}

    async def refuse(self):
        raise OperationError("there is no circuit c9; there are: c1")

    async def fail_control(self):
        raise ControlError("a switch refused", node="r1")

    async def small(self, a: int):
        raise WrongArgumentError("a", a, f"less than {a} is possible")

    async def break_down(self):
        raise KeyError("flaw")

    async def count(self, to):
        try:
            for value in range(to):
                yield {"value": value}
                await asyncio.sleep(0)
            if to == 3:
                raise OperationError("three is too many")
        finally:
            self.ended.set()

    async def _run(self):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        operations = {
            "sum.add": self.add,
            "sum.refuse": self.refuse,
            "sum.control": self.fail_control,
            "sum.break": self.break_down,
            "sum.small": self.small,
            "sum.count": self.count,
        }
        with rundir.claim(self._name) as folder:
            server = OperationServer(folder, operations)
            await server.start()
            self._ready.set()
            await self._stop.wait()
            await server.stop()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture
def served():
    with Served() as serving:
        yield serving


@pytest.fixture
def connected(served):
    with client.find() as found:
        yield found


def test_a_result(connected):
    assert connected.name == "net"
    assert connected.call("sum.add", a=2) == {"sum": 3}
    assert connected.call("sum.add", a="ä", b="€") == {"sum": "ä€"}


def test_a_stream(connected):
    assert list(connected.stream("sum.count", to=2)) == [{"value": 0}, {"value": 1}]


def test_an_error_ends_a_stream(connected):
    stream = connected.stream("sum.count", to=3)
    assert [next(stream)["value"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OperationError, match="three is too many"):
        next(stream)


def test_closing_a_stream_ends_the_operation(served, connected):
    stream = connected.stream("sum.count", to=10**9)
    next(stream)
    stream.close()
    assert served.ended.wait(30)


FINITE = "{name} = {value}: text, a finite number, true, false, or a list or table of these"


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        ("sum.refuse", {}, "there is no circuit c9; there are: c1"),
        ("sum.control", {}, "r1: a switch refused"),
        ("sum.break", {}, "an error inside the network: KeyError: 'flaw'"),
        ("sum.nothing", {}, "this network has no operation sum.nothing"),
        ("sum.add", {}, "a is missing: a value"),
        ("sum.add", {"a": 1, "c": "ä"}, 'c = "ä": no such argument; there are: a, b'),
        ("sum.add", {"a": math.nan}, FINITE.format(name="a", value="NaN")),
        ("sum.add", {"a": 1, "b": {1}}, FINITE.format(name="b", value='"{1}"')),
        ("sum.count", {"to": 1}, "sum.count is a stream"),
    ],
)
def test_mistakes_are_one_line(connected, operation, arguments, message):
    with pytest.raises(OperationError) as caught:
        connected.call(operation, **arguments)
    assert str(caught.value) == message


def test_an_argument_that_can_not_be_used_is_told_from_what_can_not_be_done(connected):
    with pytest.raises(WrongArgumentError) as caught:
        connected.call("sum.small", a=3)
    assert (caught.value.argument, caught.value.value) == ("a", 3)
    assert str(caught.value) == "a = 3: less than 3 is possible"


def test_streaming_what_gives_one_result(connected):
    with pytest.raises(OperationError, match="gives one result"):
        next(connected.stream("sum.add", a=1))


def test_no_network_runs():
    with pytest.raises(NotRunningError, match="qplane net up"):
        client.find()


def test_another_network_runs(served):
    with pytest.raises(NotRunningError, match="no network named other runs; running: net"):
        client.find("other")


def test_several_networks_run(served):
    with Served("net2"):
        with pytest.raises(NotRunningError, match="--net NAME: net, net2"):
            client.find()
        with client.find("net2") as second:
            assert second.call("sum.add", a=1) == {"sum": 2}


def test_a_name_is_taken_once(served):
    with pytest.raises(OperationError, match="network net runs already"), rundir.claim("net"):
        pass


def test_a_dead_network_is_not_found_and_its_socket_is_replaced(runtime):
    folder = runtime / "net"
    folder.mkdir(parents=True, mode=0o700)
    runtime.chmod(0o700)
    (folder / "api.sock").touch()
    (folder / "lock").touch()
    with pytest.raises(NotRunningError):
        client.find("net")
    with Served(), client.find("net") as connected:
        assert connected.call("sum.add", a=1) == {"sum": 2}
    assert not (folder / "api.sock").exists()


def test_a_network_that_ended_meanwhile(served):
    with Served("gone"):
        connected = client.find("gone")
        assert connected.call("sum.add", a=1) == {"sum": 2}
    with connected, pytest.raises(NotRunningError, match="network gone has ended"):
        connected.call("sum.add", a=1)


def test_a_folder_that_others_can_enter_is_refused(runtime):
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)
    with pytest.raises(OperationError, match="0700"):
        client.find()


def test_the_lock_is_not_inherited(runtime):
    """A process that the network started must not keep the dead network's name."""
    with rundir.claim("net") as folder:
        assert rundir.is_running(folder)
        held = [fd for fd in Path("/proc/self/fd").iterdir() if _is(fd, folder / "lock")]
        assert held
        assert all(fcntl.fcntl(int(fd.name), fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in held)
    assert not rundir.is_running(folder)


def _is(fd, path):
    try:
        return fd.readlink() == path
    except OSError:
        return False


def test_a_path_too_long_for_a_socket(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(OperationError, match="shorter"), rundir.claim("net"):
        pass
