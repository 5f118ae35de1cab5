"""The oracle against a switch process: every status and every read as the model says."""

from __future__ import annotations

from diff.target import Target, find_embedded
from switch.server import model

from qplane.switch.errors import Code

from .oracle import Oracle, fuzz


def test_the_embedded_switch_answers_as_the_model_says() -> None:
    with Target("embedded", find_embedded()) as target:
        oracle = Oracle(target)
        fuzz(oracle, 10)
        assert oracle.tried > 100
        assert not oracle.differences, oracle.differences
        # It does see a difference: a case with a wrong expectation.
        tree = model.p4r.Entity(packet_replication_engine_entry=model.multicast(1, [1]))
        oracle.run([model.Case(model.INSERT, tree, "tree", Code.NOT_FOUND, "nothing")])
        assert oracle.differences == {("tree INSERT: nothing", "NOT_FOUND", "OK"): 1}
        oracle.close()
