"""`qplane top`: a live table of circuits and memories."""

from __future__ import annotations

import json
from itertools import islice

from qplane.cli.acting import stream


def run(net: str | None, interval_s: float, count: int | None, as_json: bool) -> None:
    """The whole command; `count` None: until Ctrl-C. JSON is one object a line."""
    values = islice(stream(net, "net.top", interval=interval_s), count)
    if not as_json:
        from qplane.cli.tables import top_report
        from qplane.terminal import watch

        watch(values, top_report)
        return
    try:
        for value in values:
            print(json.dumps(value, ensure_ascii=False), flush=True)
    except KeyboardInterrupt:
        return
