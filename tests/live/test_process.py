"""A switch as a child process, without a namespace: what becomes of one that does not work."""

import asyncio
import os
import sys

import pytest

from qplane.live import netns, process
from qplane.live.api import OperationError


def test_a_switch_that_never_listens_is_not_left_behind(tmp_path, monkeypatch):
    """A supervisor tries again: without this, each try would leave a process."""
    monkeypatch.setattr(netns, "command", lambda namespace, arguments: list(arguments))
    monkeypatch.setattr(process, "READY_S", 0.1)
    pid_file = tmp_path / "pid"
    hangs = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(99)"

    async def run():
        switch = process.SwitchProcess(
            "alice",
            None,
            [sys.executable, "-I", "-S", "-c", hangs],
            tmp_path / "switch.sock",
            tmp_path / "log",
            print,
        )
        try:
            with pytest.raises(OperationError, match="does not listen"):
                await switch.start()
            assert switch.pid is None
        finally:
            await switch.stop()

    asyncio.run(run())
    if pid_file.exists():  # it was quick enough to write that
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)
