"""The queue towards a client: bounded, and never blocking who fills it."""

from __future__ import annotations

import itertools
import threading
import time

from qplane.switch.errors import Code, StatusError
from qplane.switch.stream import (
    MAX_QUEUED_BYTES,
    MAX_QUEUED_MESSAGES,
    MAX_QUEUED_NOTICES,
    STALLED_S,
    ClientStream,
)


def test_messages_come_out_in_order_and_the_end_after_them() -> None:
    stream = ClientStream()
    assert stream.offer(b"1")
    stream.notify(b"2")
    stream.close()
    assert [stream.take(), stream.take()] == [[b"1", b"2"], []]
    assert not stream.offer(b"3")
    assert stream.error is None


def test_a_full_queue_drops_and_counts_but_keeps_notices() -> None:
    stream = ClientStream()
    for _ in range(MAX_QUEUED_MESSAGES):
        assert stream.offer(b"x")
    assert not stream.offer(b"lost")
    stream.notify(b"kept")
    assert stream.dropped == 1
    stream.close()
    *messages, last = itertools.chain.from_iterable(iter(stream.take, []))
    assert messages == [b"x"] * MAX_QUEUED_MESSAGES and last == b"kept"


def test_of_messages_offered_together_the_first_are_kept() -> None:
    stream = ClientStream()
    assert stream.offer(*[b"x"] * (MAX_QUEUED_MESSAGES + 3)) == MAX_QUEUED_MESSAGES
    assert stream.dropped == 3


def test_the_queue_is_bounded_in_bytes_too() -> None:
    stream = ClientStream()
    megabyte = bytes(1 << 20)
    accepted = sum(stream.offer(megabyte) for _ in range(2 * (MAX_QUEUED_BYTES >> 20)))
    assert accepted == MAX_QUEUED_BYTES >> 20
    taken = len(stream.take())
    assert sum(stream.offer(megabyte) for _ in range(2 * taken)) == taken


def test_who_lets_messages_pass_goes_on_when_the_last_has_left() -> None:
    stream = ClientStream()
    stream.let_pass(1000)  # there are none
    stream.offer(b"1")
    passed = threading.Event()

    def wait() -> None:
        stream.let_pass(1000)
        passed.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not passed.is_set()
    stream.take()
    thread.join(10)
    assert passed.is_set()


def test_nobody_waits_for_a_client_that_does_not_read() -> None:
    stream = ClientStream()
    stream.offer(b"1")
    stream.let_pass(2 * STALLED_S)  # in vain
    begin = time.monotonic()
    stream.let_pass(1000)
    assert time.monotonic() - begin < 500


def test_a_client_that_leaves_notices_unread_is_cut_off() -> None:
    stream = ClientStream()
    for _ in range(MAX_QUEUED_NOTICES + 1):
        stream.notify(b"x")
    assert stream.closed
    assert stream.error is not None and stream.error.code == Code.RESOURCE_EXHAUSTED


def test_the_first_reason_to_end_is_the_one_reported() -> None:
    stream = ClientStream()
    stream.close(StatusError(Code.NOT_FOUND, "first"))
    stream.close(StatusError(Code.INTERNAL, "second"))
    assert stream.error is not None and stream.error.message == "first"
