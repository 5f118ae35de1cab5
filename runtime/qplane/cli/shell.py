"""`qplane shell`: an IPython prompt with a running network's objects."""

from __future__ import annotations

from typing import Any

from qplane.cli.errors import FAILED, fail
from qplane.live import client
from qplane.live.api import OperationError

BANNER = """\
qplane: network {name}

    circuits                    all circuits             circuits["alice-bob"]  one, hop by hop
    circuits.add("alice", "bob", fidelity=0.9, rate=20)
    circuits["alice-bob"].remove()
    net.status()                what was delivered       net.top()              once
    call("circuit.show", name="alice-bob")               any operation, as JSON
"""


class Shown:
    """What an operation answered, printed as a table."""

    def __init__(self, values: Any, report: Any) -> None:
        self.values = values
        self._report = report

    def __repr__(self) -> str:
        from qplane.terminal import console

        out = console()
        with out.capture() as captured:
            out.print(self._report(self.values))
        return captured.get().rstrip()


class CircuitObject(Shown):
    """One circuit; `values` is circuit.show's answer."""

    def __init__(self, running: client.Client, values: Any) -> None:
        from qplane.cli.tables import circuit_report

        super().__init__(values, circuit_report)
        self._running = running
        self.name = values["name"]

    def show(self) -> CircuitObject:
        """Ask again."""
        return CircuitObject(self._running, self._running.call("circuit.show", name=self.name))

    def remove(self) -> None:
        """Stop, drain, delete."""
        self._running.call("circuit.remove", name=self.name)


class CircuitsObject:
    """All circuits of the network."""

    def __init__(self, running: client.Client) -> None:
        self._running = running

    def add(self, head: str, tail: str, **wanted: Any) -> CircuitObject:
        """As `qplane circuit add`: name, fidelity, rate, slots, cutoff, start."""
        return CircuitObject(
            self._running, self._running.call("circuit.add", head=head, tail=tail, **wanted)
        )

    def __getitem__(self, name: str) -> CircuitObject:
        return CircuitObject(self._running, self._running.call("circuit.show", name=name))

    def __iter__(self) -> Any:
        return iter([circuit["name"] for circuit in self._running.call("circuit.list")])

    def __len__(self) -> int:
        return len(self._running.call("circuit.list"))

    def __repr__(self) -> str:
        from qplane.cli.tables import circuits_table

        return repr(Shown(self._running.call("circuit.list"), circuits_table))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


class NetObject:
    """The network itself."""

    def __init__(self, running: client.Client) -> None:
        self._running = running
        self.name = running.name

    def status(self) -> Shown:
        """What was delivered, and whether the network keeps up."""
        from qplane.live.report import status_report

        return Shown(self._running.call("net.status"), status_report)

    def top(self, interval: float = 1.0) -> Shown:
        """What happens within `interval` seconds from now on."""
        from qplane.cli.tables import top_report

        values = self._running.stream("net.top", interval=interval)
        next(values)  # rates are differences
        return Shown(next(values), top_report)


def names(running: client.Client) -> dict[str, Any]:
    """What the prompt starts with."""
    return {
        "net": NetObject(running),
        "circuits": CircuitsObject(running),
        "call": running.call,
        "stream": running.stream,
    }


def run(net: str | None, command: str | None) -> None:
    """The whole command; `command` is run instead of a prompt."""
    try:
        with client.find(net) as running:
            _interact(running, command)
    except OperationError as error:
        fail(str(error), FAILED)


def _interact(running: client.Client, command: str | None) -> None:
    try:
        from IPython.core.interactiveshell import InteractiveShell
        from IPython.terminal.embed import InteractiveShellEmbed
    except ImportError:
        fail("qplane shell needs IPython: pip install 'qplane[shell]'", FAILED)

    def one_line(shell: Any, kind: Any, error: Any, at: Any, tb_offset: Any = None) -> None:
        print(f"qplane: {error}")

    shell: Any
    plain: Any = InteractiveShell
    if command is not None:
        shell = plain(user_ns=names(running))
        shell.set_custom_exc((OperationError,), one_line)
        result = shell.run_cell(command)
        if not result.success:
            fail("the command failed", FAILED)
        return
    embed: Any = InteractiveShellEmbed
    shell = embed(banner1=BANNER.format(name=running.name), user_ns=names(running))
    shell.set_custom_exc((OperationError,), one_line)
    shell()
