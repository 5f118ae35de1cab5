"""The queue towards one client's StreamChannel: bounded, never blocking who fills it."""

from __future__ import annotations

import threading
import time
from collections import deque

from .errors import Code, StatusError

# A client that reads slower than this loses packet-ins, digests and idle notices (counted).
MAX_QUEUED_MESSAGES = 8192
MAX_QUEUED_BYTES = 64 << 20
# Arbitration notices are never dropped; a client that has this many unread is cut off.
MAX_QUEUED_NOTICES = 4096
MAX_TAKEN = 64  # messages that leave the queue together
STALLED_S = 0.05  # a client that takes nothing for so long is not waited for


class ClientStream:
    """Serialized StreamMessageResponse messages on their way to one client.

    Filled from any thread; one thread (the gRPC handler's) takes messages out.
    """

    def __init__(self, peer: str = "") -> None:
        self.peer = peer
        self.dropped = 0  # messages lost because the client does not read
        self.error: StatusError | None = None  # why the server ended the stream
        self._messages: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._notices = 0
        self._closed = False
        self._moved_at = 0.0  # when a message left the queue, or came into an empty one
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    def offer(self, *messages: bytes) -> int:
        """Queue messages that may be lost; how many, from the first, were not (queue full or
        stream closed)."""
        with self._changed:
            if self._closed:
                return 0
            for count, message in enumerate(messages):
                full = len(self._messages) >= MAX_QUEUED_MESSAGES
                if full or self._bytes + len(message) > MAX_QUEUED_BYTES:
                    self.dropped += len(messages) - count
                    return count
                self._put(message, False)
            return len(messages)

    def notify(self, message: bytes) -> None:
        """Queue a message that must not be lost."""
        with self._changed:
            if self._closed:
                return
            if self._notices >= MAX_QUEUED_NOTICES:
                self.error = StatusError(
                    Code.RESOURCE_EXHAUSTED, f"{self._notices} arbitration notices are unread"
                )
                self._end()
                return
            self._put(message, True)

    def _put(self, message: bytes, is_notice: bool) -> None:
        if not self._messages:
            self._moved_at = time.monotonic()
            self._changed.notify()
        self._messages.append((message, is_notice))
        self._bytes += len(message)
        self._notices += is_notice

    def close(self, error: StatusError | None = None) -> None:
        """End the stream after what is queued; the first error given is the one reported."""
        with self._changed:
            if not self._closed:
                self.error = error
                self._end()

    def _end(self) -> None:
        self._closed = True
        self._changed.notify_all()
        self._emptied.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be queued."""
        return self._closed

    def take(self) -> list[bytes]:
        """The next messages, some at a time; waits for one. None left: the stream has ended."""
        with self._changed:
            while not self._messages:
                if self._closed:
                    return []
                self._changed.wait()
            taken: list[bytes] = []
            while self._messages and len(taken) < MAX_TAKEN:
                message, is_notice = self._messages.popleft()
                self._bytes -= len(message)
                self._notices -= is_notice
                taken.append(message)
            self._moved_at = time.monotonic()
            if not self._messages:
                self._emptied.notify_all()
            return taken

    def let_pass(self, seconds: float) -> None:
        """Wait until the queue is empty, at most so long; not at all when the client does not
        read."""
        if not self._messages:
            return
        with self._changed:
            if time.monotonic() - self._moved_at < STALLED_S:
                self._emptied.wait_for(lambda: self._closed or not self._messages, seconds)
