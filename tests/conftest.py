"""What holds for every test.

No time limit per hypothesis example: how long one takes says how busy the machine is, not whether
the code is right; time is measured in benchmarks. And Ctrl-C works as at a terminal, in the tests'
subprocesses, too: a shell's background jobs inherit that it is ignored.
"""

import signal

from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("qplane", settings.default, deadline=None)
settings.load_profile("qplane")
