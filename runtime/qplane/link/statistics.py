"""What happened at one end of a link, for the user's eyes."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from qplane.wire.service import ServiceError

_WINDOW = 64


@dataclass
class Statistics:
    """Counts since the start; `rate` over the last pairs."""

    requests: int = 0
    pairs: int = 0
    void: int = 0  # handed over and then given up by the other end
    errors: Counter[ServiceError] = field(default_factory=Counter)
    mismatches: Counter[str] = field(default_factory=Counter)  # MHP errors by name
    _times_ps: deque[int] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def add_pair(self, now_ps: int) -> None:
        """A pair was handed over."""
        self.pairs += 1
        self._times_ps.append(now_ps)

    def rate(self, now_ps: int) -> float:
        """Pairs per second over the last 64, the time since the last included; 0 before two."""
        if len(self._times_ps) < 2 or now_ps <= self._times_ps[0]:
            return 0.0
        return len(self._times_ps) / ((now_ps - self._times_ps[0]) * 1e-12)
