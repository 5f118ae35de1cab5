"""What a running network offers: operations by dotted name, with JSON in and out.

A package that offers operations has ``operations(...) -> dict[str, Operation]`` and imports nothing
else from qplane.live. An operation takes keyword arguments that are JSON values. It is a coroutine
function (one result) or an async generator function (a stream, such as progress or a live table).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

Operation = Callable[..., Awaitable[object] | AsyncIterator[object]]


class OperationError(Exception):
    """An operation was not done. The text is one line for the user."""


class WrongArgumentError(OperationError):
    """An argument that can't be used, whatever circuits and pairs there are.

    `argument` is its name (None: several together), `value` what it was, `problem` what would be
    right.
    """

    def __init__(self, argument: str | None, value: object, problem: str) -> None:
        text = problem
        if argument is not None:
            text = f"{argument} = {json.dumps(value, ensure_ascii=False, default=str)}: {problem}"
        super().__init__(text)
        self.argument = argument
        self.value = value
        self.problem = problem


class NotRunningError(OperationError):
    """There is no running network of that name, or none, or several to choose from."""
