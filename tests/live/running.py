"""`qplane net up` as users start it: a process, its first words, its end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from diff.target import SIMPLE_SWITCH

from qplane.live.client import Client

QPLANE = Path(sys.executable).with_name("qplane")
REPEATER = Path(__file__).parents[2] / "examples" / "repeater.toml"
PATIENCE_S = 120

# Arguments of `Up`.
BMV2 = pytest.param(
    ["--target", "bmv2", "--bmv2", SIMPLE_SWITCH],
    id="bmv2",
    marks=(pytest.mark.bmv2, pytest.mark.root, pytest.mark.slow),
)


def environment(runtime):
    """Running networks are found below `runtime`."""
    return {
        **os.environ,
        "XDG_RUNTIME_DIR": str(runtime),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }


def qplane(runtime, *arguments, timeout=60, wrapper=()):
    """A command of the user's, in another terminal."""
    return subprocess.run(
        [*wrapper, QPLANE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment(runtime),
    )


class Up:
    """A network that came up. `status` is what it said then; `stderr` grows line by line."""

    def __init__(self, runtime, *arguments, network=REPEATER, wrapper=()):
        self.runtime = runtime
        self.process = subprocess.Popen(
            [*wrapper, QPLANE, "net", "up", network, "--json", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(runtime),
            start_new_session=True,
        )
        self.stderr = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(PATIENCE_S)
            self._reader.join()
            raise AssertionError(f"it did not come up: {self.stderr}")
        self.status = json.loads(line)

    def command(self, *arguments, **options):
        """A command about this network."""
        return qplane(self.runtime, *arguments, **options)

    def now(self):
        """What `qplane net status --json` prints, without a process for each look."""
        with Client(self.runtime / "qplane" / self.status["network"]) as running:
            return running.call("net.status")

    def wait_for(self, condition):
        """The first status that satisfies `condition`."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status = self.now()
            if condition(status):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.05)

    def _read(self):
        for line in self.process.stderr:
            with self._said:
                self.stderr.append(line.rstrip())
                self._said.notify_all()

    def wait_for_line(self, text):
        """Until a line of stderr contains `text`."""
        with self._said:
            found = self._said.wait_for(
                lambda: any(text in line for line in self.stderr), PATIENCE_S
            )
        assert found, self.stderr

    def stop(self, number=signal.SIGINT):
        """End it in order; the last document that it printed."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        self._reader.join()
        return json.loads(out) if out else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
