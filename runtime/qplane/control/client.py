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
        """Raises asyncio.InvalidStateError when the stream has ended, or takes nothing.

        Whoever sends may be cancelled: the message is sent all the same, as gRPC ends a stream
        whose writer is cancelled.
        """
        if self._stream is not None and self._stream.done():
            raise asyncio.InvalidStateError("the stream has ended")
        sending = asyncio.ensure_future(super().send(msg))
        try:
            await asyncio.wait({sending}, timeout=ANSWER_TIMEOUT_S)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=ANSWER_TIMEOUT_S)
            if sending.done() and not sending.cancelled():
                sending.exception()  # looked at: who sent is gone
            raise
        if not sending.done():
            sending.cancel()
            raise asyncio.InvalidStateError("the stream takes nothing any more")
        sending.result()


NewClient = Callable[[str, str], P4Client]
"""Makes the client for a node's switch at an address."""


def grpc_client(node: str, address: str) -> P4Client:
    """As usual: everything over gRPC."""
    return _Client(address, wait_for_ready=False)
