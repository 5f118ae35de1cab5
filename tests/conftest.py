"""What holds for every test.

No time limit per hypothesis example: how long one takes says how busy the machine is, not whether
the code is right; time is measured in benchmarks. And Ctrl-C works as at a terminal, in the tests'
subprocesses, too: a shell's background jobs inherit that it is ignored. A test whose mark names
what this machine lacks is skipped.
"""

import shutil
import signal

import pytest
from diff.target import find_bmv2
from hypothesis import settings

from qplane.live import netns

signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("qplane", settings.default, deadline=None)
settings.load_profile("qplane")

NEEDS = {
    "bmv2": (find_bmv2, "simple_switch_grpc is not on PATH"),
    "p4c": (lambda: shutil.which("p4c"), "p4c is not on PATH"),
    "root": (netns.permitted, "network namespaces and interfaces take root"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before the test's fixtures, which may start what is not there."""
    for mark, (find, why) in NEEDS.items():
        if item.get_closest_marker(mark) and not find():
            pytest.skip(why)
