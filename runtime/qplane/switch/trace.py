"""What each packet went through, as log lines or as JSON lines."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Sequence

from qplane_cext.switch.core import TraceEvent

from .bytestrings import byte_width

log = logging.getLogger(__name__)

TRACE = 5  # a logging level below DEBUG
Describe = Callable[[str, int], str]  # (table, entry handle) -> the entry as text

_TEXTS = {
    "ingress": "received on port {value}",
    "state": "parser state {name}",
    "parser_error": "parser error {name}",
    "checksum_error": "checksum error",
    "hit": "table {name}: hit {entry}{key}",
    "miss": "table {name}: miss{key}",
    "action": "action {name}",
    "condition": "condition {name} is {truth}",
    "primitive": "{name}",
    "assert_failed": "assertion failed: {name}",
    "clone": "cloned",
    "digest": "digest {name}",
    "resubmit": "resubmitted",
    "recirculate": "recirculated",
    "multicast": "replicated, {value} copies",
    "exit": "exit",
    "egress": "egress, port {value}",
    "emit": "sent on port {value}",
    "drop": "dropped {name}",
}


class Tracer:
    """Logs the packet path's events; give :meth:`trace` to ``SwitchCore.on_trace``."""

    def __init__(self, describe: Describe, *, as_json: bool) -> None:
        self._describe = describe
        self._as_json = as_json
        self._number = itertools.count(1)

    def trace(self, events: Sequence[TraceEvent]) -> None:
        """One packet's events."""
        number = next(self._number)
        if self._as_json:
            log.log(TRACE, "%s", self.as_json(number, events))
            return
        for event in events:
            log.log(TRACE, "packet %d: %s", number, self.text(event))

    def text(self, event: TraceEvent) -> str:
        """One event as a line, with the P4 source line where it is known."""
        entry = self._describe(event.name, event.value) if event.kind == "hit" else ""
        words = _TEXTS[event.kind].format(
            name=event.name,
            value=event.value,
            entry=entry,
            truth=bool(event.value),
            key=_key_text(event),
        )
        return f"{words.rstrip()} ({event.source})" if event.source else words.rstrip()

    def as_json(self, number: int, events: Sequence[TraceEvent]) -> str:
        """One packet as a JSON object."""
        steps = []
        for event in events:
            step: dict[str, object] = {"kind": event.kind}
            if event.name:
                step["name"] = event.name
            if event.kind in ("ingress", "egress", "emit"):
                step["port"] = event.value
            elif event.kind == "condition":
                step["value"] = bool(event.value)
            elif event.kind == "hit":
                step["entry"] = self._describe(event.name, event.value)
            if event.key:
                step["key"] = {name: _hex(bits, value) for name, bits, value in event.key}
            if event.source:
                step["source"] = event.source
            steps.append(step)
        return json.dumps({"packet": number, "steps": steps})


def _key_text(event: TraceEvent) -> str:
    """What was looked up, as entries show it."""
    fields = ", ".join(f"{name}={_hex(bits, value)}" for name, bits, value in event.key)
    return f" for [{fields}]" if fields else ""


def _hex(bits: int, value: int) -> str:
    return f"0x{value:0{2 * byte_width(bits)}x}"
