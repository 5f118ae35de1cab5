"""Commands that act on a running network: one call, and errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qplane.cli.errors import FAILED, fail


def call(net: str | None, operation: str, **arguments: Any) -> Any:
    """The result of an operation of network `net` (None: the only one that runs)."""
    from qplane.live import client
    from qplane.live.api import OperationError

    try:
        with client.find(net) as running:
            return running.call(operation, **arguments)
    except OperationError as error:
        fail(str(error), FAILED)


def stream(net: str | None, operation: str, **arguments: Any) -> Iterator[Any]:
    """The values of an operation, as they come."""
    from qplane.live import client
    from qplane.live.api import OperationError

    try:
        with client.find(net) as running:
            yield from running.stream(operation, **arguments)
    except OperationError as error:
        fail(str(error), FAILED)
