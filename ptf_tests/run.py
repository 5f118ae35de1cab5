"""Runs the packet tests: starts a switch, waits for it, runs PTF on its nanomsg socket, stops it.

    python ptf_tests/run.py [--target embedded|bmv2] [--switch PATH] [PTF's test names or groups]

Needs no root. Exit status: 0 when all tests passed, 1 when one failed or the switch died, 2 when
something that is needed is not there.
"""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORTS = 8
SECONDS_TO_START = 30
SECONDS_TO_STOP = 10


class NotThereError(Exception):
    """Something that is needed is not there; the message says what to do."""


def find_switch(target: str, given: str | None) -> str:
    """The switch's executable. Raises NotThereError."""
    if given:
        found = shutil.which(given)
        if found is None:
            raise NotThereError(f"{given}: no such executable")
        return found
    if target == "bmv2":
        found = shutil.which(os.environ.get("BMV2") or "simple_switch_grpc")
        if found is None:
            raise NotThereError(
                "no simple_switch_grpc on PATH: install BMv2 (the package p4lang-bmv2 of the "
                "p4lang repositories, or from github.com/p4lang/behavioral-model with its target "
                "simple_switch_grpc), or name it with BMV2=PATH"
            )
        return found
    found = shutil.which(
        "qplane-switch", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    )
    if found is None:
        raise NotThereError("no qplane-switch: run `make venv`")
    return found


def find_ptf() -> Path:
    """PTF's runner in .venv-shell. Raises NotThereError."""
    folder = Path(os.environ.get("SHELL_VENV") or ROOT / ".venv-shell")
    if not (folder / "bin" / "ptf").exists():
        raise NotThereError(f"no PTF in {folder}: run `make ptf`, which prepares it")
    return folder / "bin" / "ptf"


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Switch(contextlib.AbstractContextManager["Switch"]):
    """A running switch process with a P4Runtime server and a nanomsg packet socket."""

    def __init__(self, executable: str, log: Path) -> None:
        self.log = log
        self._folder = tempfile.TemporaryDirectory(prefix="qplane-ptf-")
        self._socket = Path(self._folder.name) / "packets.ipc"
        self.packets = f"ipc://{self._socket}"
        self.address = f"127.0.0.1:{free_port()}"
        command = [
            executable, "--no-p4", "--device-id", "0", "--packet-in", self.packets,
            "--notifications-addr", f"ipc://{self._folder.name}/notifications.ipc",
            "--", "--grpc-server-addr", self.address, "--cpu-port", "510",
        ]  # fmt: skip
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        """Until both sockets take connections. Raises NotThereError."""
        host, port = self.address.split(":")
        deadline = time.monotonic() + SECONDS_TO_START
        while not (_connects((host, int(port))) and self._socket.exists()):
            if self.process.poll() is not None:
                raise NotThereError(
                    f"the switch ended with status {self.process.returncode}:\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                raise NotThereError(f"the switch did not listen within {SECONDS_TO_START} s")
            time.sleep(0.01)

    def tail(self) -> str:
        """The end of what the switch printed."""
        return self.log.read_text(errors="replace")[-2000:]

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()


def _connects(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def run(target: str, switch: str | None, tests: list[str]) -> int:
    """Run PTF; returns its exit status. Raises NotThereError."""
    ptf = find_ptf()
    executable = find_switch(target, switch)
    logs = ROOT / "build" / "ptf" / target
    logs.mkdir(parents=True, exist_ok=True)
    build = ROOT / "p4src" / "build"
    print(f"== PTF against {executable}", flush=True)
    with Switch(executable, logs / "switch.log") as running:
        running.wait()
        parameters = {
            "target": target,
            "grpcaddr": running.address,
            "device_id": 0,
            "p4info": str(build / "qnode.p4info.txtpb"),
            "config": str(build / "qnode.json"),
        }
        command = [
            str(ptf), "--test-dir", str(ROOT / "ptf_tests" / "cases"), "--allow-user",
            "--platform", "nn",
            # PTF has no ports of its own on this platform, but test bases of others ask for them.
            *(f"--interface=0-{port}@p{port}" for port in range(PORTS)),
            "--device-socket", f"0-{{0-{PORTS - 1}}}@{running.packets}",
            "--log-file", str(logs / "ptf.log"), "--test-case-timeout", "60",
            "--default-negative-timeout", "0.02",
            "--test-params", ";".join(f"{key}={value!r}" for key, value in parameters.items()),
            *tests,
        ]  # fmt: skip
        environment = dict(os.environ)
        environment["PYTHONPATH"] = f"{ROOT / 'runtime'}{os.pathsep}{ROOT / 'ptf_tests'}"
        status = subprocess.run(command, env=environment, cwd=logs, check=False).returncode
        if running.process.poll() is not None:
            print(f"the switch died with status {running.process.returncode}:\n{running.tail()}")
            return 1
    return 1 if status else 0


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=("embedded", "bmv2"), default="embedded")
    parser.add_argument("--switch", metavar="PATH", help="its executable, if not the one on PATH")
    parser.add_argument("tests", nargs="*", help="PTF tests or groups; ^GROUP leaves one out")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the switch is stopped too
    try:
        return run(given.target, given.switch, given.tests)
    except NotThereError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
