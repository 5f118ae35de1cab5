"""The command line's side of a running network's operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from qplane.live import rundir
from qplane.live.api import NotRunningError, OperationError, WrongArgumentError
from qplane.live.transport import ARGUMENT, CALL, OPTIONS, SERVICE, STREAM, decode, encode


def find(name: str | None = None) -> Client:
    """The running network `name`, or the only one that runs. Raises NotRunningError."""
    return Client(rundir.find(name))


def _request(operation: str, arguments: Mapping[str, object]) -> bytes:
    for name, value in arguments.items():
        try:
            encode(value)
        except (TypeError, ValueError) as error:
            raise WrongArgumentError(
                name, value, "text, a finite number, true, false, or a list or table of these"
            ) from error
    return encode({"operation": operation, "arguments": arguments})


class Client:
    """A running network. Errors that it answers with are OperationErrors, one line each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self._channel = grpc.insecure_channel(f"unix:{rundir.socket_path(folder)}", OPTIONS)
        self._call = self._channel.unary_unary(f"/{SERVICE}/{CALL}", None, decode)
        self._stream = self._channel.unary_stream(f"/{SERVICE}/{STREAM}", None, decode)

    def call(self, operation: str, /, **arguments: Any) -> Any:
        """Do an operation and return its result. Raises OperationError."""
        try:
            return self._call(_request(operation, arguments))
        except grpc.RpcError as error:
            raise self._error(error, arguments) from None

    def stream(self, operation: str, /, **arguments: Any) -> Iterator[Any]:
        """The values of an operation as they come; closing the iterator ends the operation.

        Raises OperationError.
        """
        answers = self._stream(_request(operation, arguments))
        try:
            yield from answers
        except grpc.RpcError as error:
            raise self._error(error, arguments) from None
        finally:
            answers.cancel()

    def _error(self, error: grpc.RpcError, arguments: Mapping[str, object]) -> OperationError:
        code, details = error.code(), error.details()
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            name = dict(error.trailing_metadata()).get(ARGUMENT)
            return WrongArgumentError(name, arguments.get(name or ""), details)
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return NotRunningError(f"network {self.name} has ended or does not answer")
        return OperationError(details)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
