"""What a running network offers: operations by dotted name, with JSON in and out.

A package that offers operations has ``operations(...) -> dict[str, Operation]`` and imports nothing
else from qplane.live. An operation takes keyword arguments that are JSON values. It is a coroutine
function (one result) or an async generator function (a stream, such as progress or a live table).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

Operation = Callable[..., Awaitable[object] | AsyncIterator[object]]


class OperationError(Exception):
    """An operation was not done. The text is one line for the user."""


class NotRunningError(OperationError):
    """There is no running network of that name, or none, or several to choose from."""
