"""The embedded switch and BMv2 do the same; and the comparison notices when they don't."""

from random import Random

import pytest

from diff.compare import Difference, Pair, compare
from diff.minimize import minimize
from diff.programs import load, names
from diff.target import Target, find_bmv2, find_embedded

PACKETS = 500

pytestmark = pytest.mark.bmv2


@pytest.fixture(scope="module")
def pair():
    with Target("bmv2", find_bmv2()) as reference, Target("embedded", find_embedded()) as tested:
        yield Pair(reference, tested)


@pytest.mark.parametrize("name", names())
def test_no_difference(pair, name):
    compare(pair, load(name), Random(f"test {name}"), PACKETS)


class Forgetful(Target):
    """A switch that says it took an entry of `lpm_t`, and did not."""

    def write(self, updates):
        forgotten = [update for update in updates if is_lpm(update)]
        super().write([update for update in updates if update not in forgotten])
        return [0] * len(updates)


def is_lpm(update):
    match = update.entity.table_entry.match
    return update.type == update.INSERT and len(match) == 1 and match[0].HasField("lpm")


def test_a_difference_is_found_and_made_small():
    program, rng = load("lookup"), Random("forgetful")
    with Target("bmv2", find_bmv2()) as good, Forgetful("forgetful", find_embedded()) as bad:
        pair = Pair(good, bad)
        with pytest.raises(Difference) as found:
            compare(pair, program, rng, 200)
        smallest = minimize(pair, program, found.value)
        assert smallest is not None
        assert len(smallest.steps) <= 1
        assert len(smallest.state) == 1 and is_lpm(smallest.state[0])
