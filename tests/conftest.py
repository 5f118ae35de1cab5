"""What holds for every test: no time limit per hypothesis example.

How long one example takes says how busy the machine is, not whether the code is right; time is
measured in benchmarks.
"""

from hypothesis import settings

settings.register_profile("qplane", settings.default, deadline=None)
settings.load_profile("qplane")
