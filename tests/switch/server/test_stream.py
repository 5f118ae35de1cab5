"""The queue towards a client: bounded, and never blocking who fills it."""

from __future__ import annotations

from qplane.switch.errors import Code, StatusError
from qplane.switch.stream import (
    MAX_QUEUED_BYTES,
    MAX_QUEUED_MESSAGES,
    MAX_QUEUED_NOTICES,
    ClientStream,
)


def test_messages_come_out_in_order_and_the_end_after_them() -> None:
    stream = ClientStream()
    assert stream.offer(b"1")
    stream.notify(b"2")
    stream.close()
    assert [stream.take(), stream.take(), stream.take()] == [b"1", b"2", None]
    assert not stream.offer(b"3")
    assert stream.error is None


def test_a_full_queue_drops_and_counts_but_keeps_notices() -> None:
    stream = ClientStream()
    for _ in range(MAX_QUEUED_MESSAGES):
        assert stream.offer(b"x")
    assert not stream.offer(b"lost")
    stream.notify(b"kept")
    assert stream.dropped == 1
    for _ in range(MAX_QUEUED_MESSAGES):
        assert stream.take() == b"x"
    assert stream.take() == b"kept"


def test_the_queue_is_bounded_in_bytes_too() -> None:
    stream = ClientStream()
    megabyte = bytes(1 << 20)
    accepted = sum(stream.offer(megabyte) for _ in range(2 * (MAX_QUEUED_BYTES >> 20)))
    assert accepted == MAX_QUEUED_BYTES >> 20
    stream.take()
    assert stream.offer(megabyte)


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
