"""Requests of this end that the distributed queue has not taken yet."""

from __future__ import annotations

from collections.abc import Callable

from qplane.link.messages import Consumer
from qplane.link.timers import Timer

_IDS = 0x10000


class Asked:
    """By create id."""

    def __init__(self) -> None:
        self._consumers: dict[int, Consumer] = {}
        self._timeouts: dict[int, Timer] = {}
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._consumers)

    def new_id(self, is_taken: Callable[[int], bool]) -> int:
        """A create id that neither a request here nor, as `is_taken` says, an item has."""
        create_id = self._next_id
        while create_id in self._consumers or is_taken(create_id):
            create_id = (create_id + 1) % _IDS
        self._next_id = (create_id + 1) % _IDS
        return create_id

    def put(self, create_id: int, consumer: Consumer, timeout: Timer | None) -> None:
        """A request; `timeout` is cancelled when it is taken out."""
        self._consumers[create_id] = consumer
        if timeout is not None:
            self._timeouts[create_id] = timeout

    def take(self, create_id: int) -> Consumer | None:
        """Its consumer; it is here no more."""
        timeout = self._timeouts.pop(create_id, None)
        if timeout is not None:
            timeout.cancel()
        return self._consumers.pop(create_id, None)
