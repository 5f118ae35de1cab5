"""Commands that act on a running network: one call, and errors as one line.

An argument of an operation stands behind the option of the same name, but for those in `shown_as`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from qplane.cli.errors import FAILED, fail

Names = Mapping[str, str]
POSITIONAL: Names = {"head": "FROM", "tail": "TO", "source": "SOURCE", "target": "TARGET"}


def call(net: str | None, operation: str, shown_as: Names = POSITIONAL, **arguments: Any) -> Any:
    """The result of an operation of network `net` (None: the only one that runs)."""
    from qplane.live import client

    with refusals(shown_as), client.find(net) as running:
        return running.call(operation, **arguments)


def stream(
    net: str | None, operation: str, shown_as: Names = POSITIONAL, **arguments: Any
) -> Iterator[Any]:
    """The values of an operation, as they come."""
    from qplane.live import client

    with refusals(shown_as), client.find(net) as running:
        yield from running.stream(operation, **arguments)


@contextmanager
def refusals(shown_as: Names) -> Iterator[None]:
    """End the command with one line where an operation is refused: status 2 for an argument that
    can't be used, else 1."""
    from qplane.live.api import OperationError, WrongArgumentError

    try:
        yield
    except WrongArgumentError as error:
        if error.argument is None:
            fail(error.problem)
        name = shown_as.get(error.argument, f"--{error.argument.replace('_', '-')}")
        fail(f"{name} {json.dumps(error.value, ensure_ascii=False)}: {error.problem}")
    except OperationError as error:
        fail(str(error), FAILED)
