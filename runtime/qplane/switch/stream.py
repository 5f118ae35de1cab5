"""The queue towards one client's StreamChannel: bounded, never blocking who fills it."""

from __future__ import annotations

import threading
from collections import deque

from .errors import Code, StatusError

# A client that reads slower than this loses packet-ins, digests and idle notices (counted).
MAX_QUEUED_MESSAGES = 8192
MAX_QUEUED_BYTES = 64 << 20
# Arbitration notices are never dropped; a client that has this many unread is cut off.
MAX_QUEUED_NOTICES = 4096


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
        self._changed = threading.Condition()

    def offer(self, message: bytes) -> bool:
        """Queue a message that may be lost; False when it was (queue full or stream closed)."""
        with self._changed:
            if self._closed:
                return False
            full = len(self._messages) >= MAX_QUEUED_MESSAGES
            if full or self._bytes + len(message) > MAX_QUEUED_BYTES:
                self.dropped += 1
                return False
            self._put(message, False)
            return True

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
        self._messages.append((message, is_notice))
        self._bytes += len(message)
        self._notices += is_notice
        self._changed.notify()

    def close(self, error: StatusError | None = None) -> None:
        """End the stream after what is queued; the first error given is the one reported."""
        with self._changed:
            if not self._closed:
                self.error = error
                self._end()

    def _end(self) -> None:
        self._closed = True
        self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be queued."""
        return self._closed

    def take(self) -> bytes | None:
        """The next message; waits for it. None: the stream has ended."""
        with self._changed:
            while not self._messages:
                if self._closed:
                    return None
                self._changed.wait()
            message, is_notice = self._messages.popleft()
            self._bytes -= len(message)
            self._notices -= is_notice
            return message
