"""Digest lists on their way to the controller: batching, duplicates, acknowledgements.

The packet path calls :meth:`DigestQueue.add` while it holds its own lock, so nothing here calls
back into it. See the specification, "DigestEntry".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from finsy.proto import p4r

from .errors import invalid
from .p4data import split_leaves
from .p4info import Digest

MAX_BUFFERED = 16384  # records of one digest, when no list size bounds them
MAX_UNACKNOWLEDGED = 65536  # records remembered of one digest; older lists are forgotten


@dataclass
class _Channel:
    """One digest that is switched on. Times are in nanoseconds of the monotonic clock."""

    digest: Digest
    config: p4r.DigestEntry.Config
    configured_at: int
    buffer: dict[bytes, None] = field(default_factory=dict)  # in order of arrival
    first_at: int = 0
    sent: dict[int, tuple[int, frozenset[bytes]]] = field(default_factory=dict)  # list id -> ...
    cached: dict[bytes, int] = field(default_factory=dict)  # record -> the list it was sent in


class DigestQueue:
    """The digests of one device. ``send`` gets each list; it must not block."""

    def __init__(
        self,
        send: Callable[[int, p4r.DigestList], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._send = send
        self._clock = clock
        self._lock = threading.Lock()
        self._channels: dict[int, _Channel] = {}  # by the packet path's digest id
        self._next_list = 1
        self.dropped = 0  # records lost because a buffer was full

    def configure(self, digest: Digest, config: p4r.DigestEntry.Config | None) -> None:
        """Switch a digest on, change its batching, or (None) switch it off."""
        with self._lock:
            if config is None:
                self._channels.pop(digest.core_id, None)
            elif digest.core_id in self._channels:
                self._channels[digest.core_id].config = config
                self._channels[digest.core_id].configured_at = self._clock()
            else:
                self._channels[digest.core_id] = _Channel(digest, config, self._clock())

    def clear(self) -> None:
        """Switch all digests off."""
        with self._lock:
            self._channels.clear()

    @property
    def active(self) -> bool:
        """Whether any digest is switched on: only then does time matter."""
        return bool(self._channels)

    def add(self, core_id: int, record: bytes) -> None:
        """A record from the packet path; ignored while its digest is off."""
        with self._lock:
            channel = self._channels.get(core_id)
            if channel is None:
                return
            now = self._clock()
            self._expire(channel, now)
            if record in channel.buffer or record in channel.cached:
                return
            config = channel.config
            if len(channel.buffer) >= MAX_BUFFERED:
                self.dropped += 1
                return
            if not channel.buffer:
                channel.first_at = now
            channel.buffer[record] = None
            full = config.max_list_size and len(channel.buffer) >= config.max_list_size
            if full or config.max_timeout_ns == 0:
                self._flush(channel, now)

    def tick(self) -> None:
        """Send what has waited long enough and forget what was not acknowledged in time."""
        with self._lock:
            now = self._clock()
            for channel in self._channels.values():
                self._expire(channel, now)
                if channel.buffer and now - channel.first_at >= channel.config.max_timeout_ns:
                    self._flush(channel, now)

    def acknowledge(self, p4_id: int, list_id: int) -> None:
        """A DigestListAck: the same records may be sent again.

        INVALID_ARGUMENT when no such digest is switched on; an unknown list is ignored.
        """
        with self._lock:
            for channel in self._channels.values():
                if channel.digest.id == p4_id:
                    self._forget(channel, list_id)
                    return
        raise invalid(f"digest {p4_id:#x} is not in the P4Info or not switched on")

    def _flush(self, channel: _Channel, now: int) -> None:
        list_id = self._next_list
        self._next_list += 1
        message = p4r.DigestList(
            digest_id=channel.digest.id, list_id=list_id, timestamp=time.time_ns()
        )
        for record in channel.buffer:
            leaves = split_leaves(record, channel.digest.widths)
            message.data.append(channel.digest.type.to_message(leaves))
        if channel.config.ack_timeout_ns:
            channel.sent[list_id] = now, frozenset(channel.buffer)
            channel.cached.update(dict.fromkeys(channel.buffer, list_id))
            while len(channel.cached) > MAX_UNACKNOWLEDGED:
                self._forget(channel, next(iter(channel.sent)))
        channel.buffer.clear()
        self._send(channel.digest.id, message)

    @staticmethod
    def _forget(channel: _Channel, list_id: int) -> None:
        _, records = channel.sent.pop(list_id, (0, frozenset()))
        for record in records:
            if channel.cached.get(record) == list_id:
                del channel.cached[record]

    def _expire(self, channel: _Channel, now: int) -> None:
        """Forget, as if looked at once a time-out since the configuration, what is older than it.

        The specification has such a periodic look, and BMv2 does it at this pace; tests of others
        (up4's) count on a record not coming back right after its time-out.
        """
        timeout = channel.config.ack_timeout_ns
        looked_at = now
        if timeout:
            looked_at -= (now - channel.configured_at) % timeout
        while channel.sent:
            list_id, (sent_at, _) = next(iter(channel.sent.items()))
            if looked_at - sent_at < timeout:
                return
            self._forget(channel, list_id)
