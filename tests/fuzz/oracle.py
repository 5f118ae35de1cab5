"""The fuzzer with an oracle against a switch process: ours, or another P4Runtime server.

``python -m fuzz.oracle --target bmv2`` in tests/ tells where BMv2's statuses and reads differ from
the model's. Updates come one by one (BMv2 has one atomicity); after a difference the program is
pushed again and the model starts anew, so that no difference follows from another one.
"""

from __future__ import annotations

import argparse
import re
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

# Where BMv2 departs from the specification, by how its differences read (docs/p4runtime.md).
KNOWN_OF_BMV2 = {
    "too wide a byte string is INVALID_ARGUMENT": "not INVALID_ARGUMENT Bytestring provided does",
    "an empty byte string is 0": r"= b'': OUT_OF_RANGE, not",
    "is_const in a write": r"is_const = True: INVALID_ARGUMENT, not (OK|NOT_FOUND)",
    "negative priority": r"priority = -1: INVALID_ARGUMENT, not (OK|NOT_FOUND|UNKNOWN)",
    "per-colour counters are ignored": r"packet_count = 1: INVALID_ARGUMENT, not (OK|NOT_FOUND)",
    "an unknown member or group is INVALID_ARGUMENT": r"NOT_FOUND, not INVALID_ARGUMENT Invalid",
    "DELETE looks at more than the key": r"DELETE: well-formed: NOT_FOUND, not INVALID_ARGUMENT ",
    "member or group id 0": r"_id = 0: INVALID_ARGUMENT, not",
    "a group of a profile without a selector": r"group \w+: action_profile_id = .* not [ON]",
    "multicast group id of more than 16 bits": r"65536: INVALID_ARGUMENT, not OUT_OF_RANGE",
    "no replica to port 0": r"tree \w+: well-formed: OK, not INVALID_ARGUMENT Port must be non-neg",
    "replicas are read back last first": r"after tree \w+: .*, not 1 not read, 1 others read",
    "a refused group leaves an empty one": r"after group INSERT: .*, not 0 not read, 1 others read",
    "no entry for an empty group": r"balanced \w+: well-formed: OK, not UNKNOWN Error when adding",
}
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
    known: Counter[str] = Counter()
    unknown = 0
    for difference, count in sorted(oracle.differences.items()):
        where, wanted, found = difference
        line = f"{where}: {wanted}, not {found} {oracle.said[difference]}".rstrip()
        row = known_row(line) if given_.target == "bmv2" else None
        if row is None:
            unknown += count
            print(f"{count:5} {line}")
        else:
            known[row] += count
    for row, count in known.most_common():
        print(f"{count:5} known: {row}")
    print(f"{oracle.tried} updates, {oracle.differences.total()} differ, {unknown} unexplained")
    return int(bool(unknown))


def known_row(line: str) -> str | None:
    """Which of BMv2's departures a difference is."""
    return next((row for row, how in KNOWN_OF_BMV2.items() if re.search(how, line)), None)


if __name__ == "__main__":
    sys.exit(main())
