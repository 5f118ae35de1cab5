"""JSON over gRPC over a Unix socket: what client and server of the operations have in common.

gRPC brings streams, cancellation and flow control. Both methods take
``{"operation", "arguments"}``; ``Call`` answers with one value, ``Stream`` with any number. What
can't be done is FAILED_PRECONDITION with the text as detail; an argument that can't be used
INVALID_ARGUMENT, with what would be right as detail and its name as trailing metadata; a flaw of
ours INTERNAL.
"""

from __future__ import annotations

import json
from typing import Any

SERVICE = "qplane.live.Operations"
CALL = "Call"
STREAM = "Stream"
ARGUMENT = "argument"
"""Key of the trailing metadata that has the name of an argument."""

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
)


def encode(value: object) -> bytes:
    """Raises TypeError or ValueError where the value is not JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def decode(data: bytes) -> Any:
    return json.loads(data)
