"""A switch as a child process: started in its namespace, started again when it ends by itself."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from qplane.live import netns
from qplane.live.api import OperationError
from qplane.live.fabric import Report

READY_S = 30.0
"""How long a switch may take until it listens; on a busy machine Python alone takes seconds."""

LAST_WORDS = 3  # lines of its log that are shown of a switch that ended

FIRST_DELAY_S, LONGEST_DELAY_S, CALM_S = 0.1, 10.0, 30.0
"""Before a switch is started again: doubled each time, from the start once it ran for CALM_S."""


class SwitchProcess:
    """`arguments` make it listen on the Unix socket `socket_path`. What it prints goes to `log`."""

    def __init__(
        self,
        node: str,
        namespace: netns.Namespace,
        arguments: Sequence[str],
        socket_path: Path,
        log: Path,
        report: Report,
    ) -> None:
        self.node = node
        self.restarts = 0
        self._command = netns.command(namespace, arguments)
        self._socket_path = socket_path
        self._log = log
        self._report = report
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it and watch over it. Raises OperationError if it does not come to listen."""
        self._log.unlink(missing_ok=True)
        await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"switch {self.node}")

    async def _spawn(self) -> None:
        self._socket_path.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end it when it is its turn
            )
        deadline = time.monotonic() + READY_S
        while not await _listens(self._socket_path):
            if self._process.returncode is not None:
                raise OperationError(f"the switch of {self.node} ended at once: {self._words()}")
            if time.monotonic() > deadline:
                await self._kill()  # or the next try would leave it behind
                raise OperationError(
                    f"the switch of {self.node} does not listen after {READY_S:g} s: "
                    f"{self._words()}"
                )
            await asyncio.sleep(0.02)

    async def _supervise(self) -> None:
        delay = FIRST_DELAY_S
        while True:
            assert self._process is not None  # started before
            began = time.monotonic()
            status = await self._process.wait()
            if time.monotonic() - began > CALM_S:
                delay = FIRST_DELAY_S
            self._report(f"the switch of {self.node} ended ({_why(status)}); it is started again")
            while True:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_S)
                try:
                    await self._spawn()
                    break
                except (OperationError, OSError) as error:
                    self._report(str(error))
            self.restarts += 1

    def _words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return "; ".join(line.strip() for line in lines[-LAST_WORDS:]) or "it said nothing"

    async def stop(self) -> None:
        """End it for good."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        await self._kill()
        self._socket_path.unlink(missing_ok=True)

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # it keeps nothing that an orderly end would save
            await self._process.wait()


async def _listens(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


def _why(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
