"""Serves the operations of a running network on its Unix socket."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio

from qplane.arguments import Signature
from qplane.control import ControlError
from qplane.live import rundir
from qplane.live.api import Operation, OperationError, WrongArgumentError
from qplane.live.transport import ARGUMENT, CALL, OPTIONS, SERVICE, STREAM, decode, encode

log = logging.getLogger(__name__)

GRACE_S = 0.5


class _BadRequest(OperationError):
    """No such operation, or not in this way."""


class OperationServer:
    """Serves `operations` for the network of `folder`, in asyncio's loop."""

    def __init__(self, folder: Path, operations: Mapping[str, Operation]) -> None:
        self._path = rundir.socket_path(folder)
        self._operations = {
            name: (operation, Signature(operation)) for name, operation in operations.items()
        }
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen. A socket that a dead process left is replaced: the folder's lock is ours."""
        self._path.unlink(missing_ok=True)
        server = grpc.aio.server(options=OPTIONS)
        handlers = {
            CALL: grpc.unary_unary_rpc_method_handler(self._call, decode, encode),
            STREAM: grpc.unary_stream_rpc_method_handler(self._stream, decode, encode),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        server.add_insecure_port(f"unix:{self._path}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End what is being done, and take the socket away."""
        if self._server is not None:
            await self._server.stop(GRACE_S)
            self._server = None
        self._path.unlink(missing_ok=True)

    async def _call(self, request: Any, context: Any) -> object:
        try:
            answer = self._begin(request)
            if not isinstance(answer, Awaitable):
                raise _BadRequest(f"{request['operation']} is a stream")
            result = await answer
            encode(result)
            return result
        except Exception as error:
            await self._abort(context, request, error)

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[object]:
        try:
            answers = self._begin(request)
            if not isinstance(answers, AsyncIterator):
                answers.close()  # type: ignore[attr-defined]  # a coroutine that nobody awaits
                raise _BadRequest(f"{request['operation']} gives one result, not a stream")
            async for answer in answers:
                yield answer
        except Exception as error:
            await self._abort(context, request, error)

    def _begin(self, request: Any) -> Awaitable[object] | AsyncIterator[object]:
        name, arguments = request["operation"], request["arguments"]
        if name not in self._operations:
            raise _BadRequest(f"this network has no operation {name}")
        operation, signature = self._operations[name]
        flaw = signature.flaw(arguments)
        if flaw is not None:
            raise WrongArgumentError(*flaw)
        return operation(**arguments)

    async def _abort(self, context: Any, request: Any, error: Exception) -> NoReturn:
        if isinstance(error, WrongArgumentError):
            metadata = () if error.argument is None else ((ARGUMENT, error.argument),)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.problem, metadata)
        if isinstance(error, (OperationError, ControlError)):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        log.error("operation %s failed", request.get("operation"), exc_info=error)
        await context.abort(
            grpc.StatusCode.INTERNAL,
            f"an error inside the network: {type(error).__name__}: {error}",
        )
        raise error  # abort does not return
