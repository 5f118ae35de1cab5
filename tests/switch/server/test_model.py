"""A fuzzer with an oracle: random batches, right and wrong, against a model in plain dicts."""

from __future__ import annotations

import copy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from qplane.switch.device import Device
from qplane.switch.errors import Code
from qplane.switch.server import P4RuntimeServer
from qplane_cext.switch.core import SwitchCore

from .client import Client
from .model import CONFIG, Case, Model, queries, updates


class SwitchModel(RuleBasedStateMachine):
    """Random batches in all atomicities, each followed by a read of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.core = SwitchCore()
        device = Device(1, self.core, inject=lambda port, data: None)
        self.server = P4RuntimeServer([device])
        self.client = Client(self.server.start())
        self.model = Model()

    @initialize()
    def push(self) -> None:
        assert self.client.arbitrate(1) == (Code.OK, 1)
        assert self.client.push(CONFIG) is None

    @rule(
        batch=st.lists(updates(), min_size=1, max_size=6),
        atomicity=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def write(self, batch: list[Case], atomicity: int) -> None:
        before = copy.deepcopy(self.model)
        expected: list[Code] = []
        for case in batch:
            code = self.model.judge(case)
            expected.append(code)
            if atomicity and code != Code.OK:
                self.model = before
                place = len(expected) - 1
                expected = [Code.ABORTED] * len(batch)
                expected[place] = code
                break
        failed = self.client.write(*[case.update for case in batch], atomicity=atomicity)
        if all(code == Code.OK for code in expected):
            assert failed is None
        else:
            assert failed is not None and failed.code == Code.UNKNOWN
            assert failed.members == expected
        self.check()

    def check(self) -> None:
        found = sorted(
            one.SerializeToString(deterministic=True) for one in self.client.read(*queries())
        )
        assert found == self.model.everything()

    def teardown(self) -> None:
        self.client.close()
        self.server.stop()


TestSwitchModel = SwitchModel.TestCase
TestSwitchModel.settings = settings(
    max_examples=40, stateful_step_count=20, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
