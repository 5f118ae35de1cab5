"""Digest lists: batching, distinct records, acknowledgements and their time-out."""

from __future__ import annotations

import pytest
from finsy.proto import p4i, p4r, p4t

from qplane.switch.digests import DigestQueue
from qplane.switch.errors import StatusError
from qplane.switch.p4data import data_type
from qplane.switch.p4info import Digest
from qplane.switch.p4info_index import index_p4info
from qplane_cext.switch.core import Pipeline

from .client import load_program

SPEC = p4t.P4DataTypeSpec(bitstring=p4t.P4BitstringLikeTypeSpec(bit=p4t.P4BitTypeSpec(bitwidth=16)))
TYPE = data_type(SPEC, p4t.P4TypeInfo(), "digest")
DIGEST = Digest(100, "learn", 1, TYPE, TYPE.widths)
MS = 1_000_000


class Bench:
    def __init__(self, **config: int) -> None:
        self.now = 0
        self.lists: list[p4r.DigestList] = []
        self.queue = DigestQueue(
            lambda _, message: self.lists.append(message), clock=lambda: self.now
        )
        self.queue.configure(DIGEST, p4r.DigestEntry.Config(**config))

    def add(self, *values: int) -> None:
        for value in values:
            self.queue.add(1, value.to_bytes(2, "big"))

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds * MS
        self.queue.tick()

    def sent(self) -> list[list[int]]:
        return [
            [int.from_bytes(item.bitstring, "big") for item in message.data]
            for message in self.lists
        ]


def test_a_full_list_is_sent_at_once() -> None:
    bench = Bench(max_list_size=3, max_timeout_ns=10 * MS)
    bench.add(1, 2)
    assert bench.sent() == []
    bench.add(3, 4)
    assert bench.sent() == [[1, 2, 3]]
    assert bench.lists[0].digest_id == 100


def test_a_list_that_is_not_full_is_sent_after_its_timeout() -> None:
    bench = Bench(max_list_size=3, max_timeout_ns=10 * MS)
    bench.add(1)
    bench.wait(9)
    assert bench.sent() == []
    bench.wait(1)
    assert bench.sent() == [[1]]


def test_without_buffering_each_digest_is_a_list() -> None:
    bench = Bench()
    bench.add(1, 1, 2)
    assert bench.sent() == [[1], [1], [2]]  # no ack time-out: nothing is remembered
    assert len({message.list_id for message in bench.lists}) == 3


def test_duplicates_are_left_out_of_a_list_and_do_not_fill_it() -> None:
    bench = Bench(max_list_size=2, max_timeout_ns=10 * MS)
    bench.add(1, 1, 1)
    assert bench.sent() == []
    bench.add(2)
    assert bench.sent() == [[1, 2]]


def test_a_record_is_not_sent_again_before_its_acknowledgement() -> None:
    bench = Bench(ack_timeout_ns=1000 * MS)
    bench.add(1, 1)
    assert bench.sent() == [[1]]
    bench.queue.acknowledge(100, bench.lists[0].list_id)
    bench.add(1)
    assert bench.sent() == [[1], [1]]


def test_a_record_is_sent_again_when_the_acknowledgement_stays_out() -> None:
    bench = Bench(ack_timeout_ns=50 * MS)
    bench.add(1)
    bench.wait(49)
    bench.add(1)
    assert bench.sent() == [[1]]
    bench.wait(1)
    bench.add(1)
    assert bench.sent() == [[1], [1]]


def test_unacknowledged_lists_are_looked_at_once_a_timeout_since_the_configuration() -> None:
    bench = Bench(ack_timeout_ns=50 * MS)
    bench.wait(10)
    bench.add(1)
    for milliseconds in (40, 49):  # 40 and 89 after it was sent
        bench.wait(milliseconds)
        bench.add(1)
        assert bench.sent() == [[1]]
    bench.wait(1)
    bench.add(1)
    assert bench.sent() == [[1], [1]]


def test_an_acknowledgement_of_an_unknown_list_is_ignored_of_an_unknown_digest_refused() -> None:
    bench = Bench(ack_timeout_ns=50 * MS)
    bench.add(1)
    bench.queue.acknowledge(100, 12345)
    bench.add(1)
    assert bench.sent() == [[1]]
    with pytest.raises(StatusError):
        bench.queue.acknowledge(7, 1)


def test_a_digest_that_is_off_sends_nothing() -> None:
    bench = Bench()
    bench.queue.configure(DIGEST, None)
    bench.add(1)
    assert bench.sent() == []
    assert not bench.queue.active


def test_a_p4info_digest_type_can_be_a_struct() -> None:
    types = p4t.P4TypeInfo()
    member = types.structs["pair"].members.add(name="a")
    member.type_spec.CopyFrom(SPEC)
    member = types.structs["pair"].members.add(name="b")
    member.type_spec.bool.SetInParent()
    spec = p4i.Digest()
    spec.type_spec.struct.name = "pair"
    found = data_type(spec.type_spec, types, "digest")
    message = found.to_message([b"\0\7", b"\1"])
    assert message.struct.members[0].bitstring == b"\7"
    assert message.struct.members[1].bool
    assert found.to_leaves(message) == [b"\0\7", b"\1"]


def test_digests_without_a_name_belong_to_their_learn_lists() -> None:
    program = load_program("digests")
    pipeline = Pipeline(program.p4_device_config)
    index = index_p4info(program.p4info, pipeline)
    learned = {one.digest_id: one.bitwidths for one in pipeline.digests}
    assert sorted(learned.values()) == [(8,), (8, 4), (8, 4), (20,)]
    assert {digest.core_id for digest in index.digests.values()} == set(learned)
    for digest in index.digests.values():
        assert digest.type.widths == learned[digest.core_id]
