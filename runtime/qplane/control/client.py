"""The P4Runtime client that a session stands on: finsy's, with a stream that ends when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from finsy.p4client import P4Client
from finsy.proto import p4r

ANSWER_TIMEOUT_S = 10.0
"""How long a switch may take to answer the first message of a stream, or to take a message; finsy
waits as long for every request."""


class _Client(P4Client):
    """finsy's client, but that a stream which has ended is not replaced by another one, which
    would be nobody's primary."""

    async def send(self, msg: p4r.StreamMessageRequest) -> None:
        """Raises asyncio.InvalidStateError when the stream has ended, or takes nothing."""
        if self._stream is not None and self._stream.done():
            raise asyncio.InvalidStateError("the stream has ended")
        try:
            await asyncio.wait_for(super().send(msg), ANSWER_TIMEOUT_S)
        except asyncio.TimeoutError as error:  # not the built-in one before Python 3.11
            raise asyncio.InvalidStateError("the stream takes nothing any more") from error


NewClient = Callable[[str, str], P4Client]
"""Makes the client for a node's switch at an address."""


def grpc_client(node: str, address: str) -> P4Client:
    """As usual: everything over gRPC."""
    return _Client(address, wait_for_ready=False)
