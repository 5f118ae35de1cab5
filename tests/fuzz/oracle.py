"""The fuzzer with an oracle against a switch process: ours, or another P4Runtime server.

``python -m fuzz.oracle --target bmv2`` in tests/ tells where BMv2's statuses and reads differ from
the model's. Updates come one by one (BMv2 has one atomicity); after a difference the program is
pushed again and the model starts anew, so that no difference follows from another one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from diff.target import Target, find_bmv2, find_embedded
from finsy.proto import p4r
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from switch.server.client import Client
from switch.server.model import CONFIG, Case, Model, queries, updates

from qplane.switch.errors import Code

UPDATES = 30  # in a row
Difference = tuple[str, str, str]  # where, what the model says, what the switch says


class Oracle:
    """One switch process, judged by the model."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = Client(target.address, device_id=0)
        status = self._client.arbitrate(2)  # the target's own stream has 1
        assert status == (Code.OK, 2)
        self.tried = 0
        self.differences: Counter[Difference] = Counter()
        self.said: dict[Difference, str] = {}  # an example of what the switch said

    def close(self) -> None:
        """End the session."""
        self._client.close()

    def run(self, cases: Sequence[Case]) -> None:
        """Try some updates in a row on a switch without entries. Raises TargetError."""
        model = self._anew()
        for case in cases:
            self.tried += 1
            wanted = model.judge(case)
            found, text = self._write(case)
            kind = p4r.Update.Type.Name(case.kind)
            where = f"{case.what} {kind}: {case.wrong or 'well-formed'}"
            if found != wanted:
                self._count((where, wanted.name, found.name), text)
            elif (read := self._read()) != (held := model.everything()):
                missing, extra = len(set(held) - set(read)), len(set(read) - set(held))
                what = (f"after {where}", "as written", f"{missing} not read, {extra} others read")
                self._count(what, "")
            else:
                continue
            model = self._anew()

    def _anew(self) -> Model:
        self._target.check()
        failed = self._client.push(CONFIG)
        assert failed is None, failed
        return Model()

    def _write(self, case: Case) -> tuple[Code, str]:
        failed = self._client.write(case.update)
        if failed is None:
            return Code.OK, ""
        if not failed.members:
            return failed.code, failed.message
        return failed.members[0], failed.texts[0]

    def _read(self) -> list[bytes]:
        found = self._client.read(*queries())
        return sorted(one.SerializeToString(deterministic=True) for one in found)

    def _count(self, difference: Difference, text: str) -> None:
        self.differences[difference] += 1
        self.said.setdefault(difference, text)


def fuzz(oracle: Oracle, rows: int) -> None:
    """Try so many rows of updates, the same ones every time. Raises TargetError."""

    @settings(
        max_examples=rows, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(updates(), min_size=UPDATES // 2, max_size=UPDATES))
    def one_row(cases: list[Case]) -> None:
        oracle.run(cases)

    one_row()


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz.oracle", description=__doc__)
    parser.add_argument("--target", choices=("embedded", "bmv2"), default="embedded")
    parser.add_argument("--rows", type=int, default=300, help="of 15 to 30 updates (%(default)s)")
    given_ = parser.parse_args()
    executable = find_embedded() if given_.target == "embedded" else find_bmv2()
    if executable is None:
        print("Error: no simple_switch_grpc on PATH, and none in $BMV2", file=sys.stderr)
        return 2
    with Target(given_.target, executable) as target:
        oracle = Oracle(target)
        try:
            fuzz(oracle, given_.rows)
        finally:
            oracle.close()
    for difference, count in sorted(oracle.differences.items()):
        where, wanted, found = difference
        print(f"{count:5} {where}: {wanted}, not {found} {oracle.said[difference]}".rstrip())
    print(f"{oracle.tried} updates, {oracle.differences.total()} differ")
    return int(bool(oracle.differences))


if __name__ == "__main__":
    sys.exit(main())
