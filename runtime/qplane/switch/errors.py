"""Status codes of P4Runtime and how they travel over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import grpc
from finsy.proto import p4r, rpc_status

from qplane_cext.switch.core import SwitchError

# The ``space`` of the p4.v1.Error messages; BMv2 says "ALL-sswitch-p4org" here.
ERROR_SPACE = "ALL-qplane"


class Code(IntEnum):
    """The canonical codes of google.rpc.Code."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


class StatusError(Exception):
    """A request, or one update or query of it, that gets a status other than OK."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BatchError(Exception):
    """One or more members of a batch failed; ``errors`` has one element a member, in order."""

    def __init__(self, message: str, errors: Sequence[StatusError | None]) -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors


def invalid(message: str) -> StatusError:
    """INVALID_ARGUMENT: by far the most frequent refusal."""
    return StatusError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> StatusError:
    """NOT_FOUND."""
    return StatusError(Code.NOT_FOUND, message)


def from_switch_error(error: SwitchError, what: str = "") -> StatusError:
    """What the packet path refused, as a status; ``what`` names the entity."""
    return StatusError(Code[error.reason], f"{what}: {error}" if what else str(error))


def text_translation(what: str) -> StatusError:
    """A value of a type that the program translates to strings: nothing here knows how."""
    return StatusError(Code.UNIMPLEMENTED, f"{what}: a translation to strings is not known here")


class GrpcStatus(NamedTuple):
    """What ``context.abort_with_status`` wants (see :class:`grpc.Status`)."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def grpc_status(error: StatusError | BatchError) -> GrpcStatus:
    """The gRPC status of a failed call.

    A failed batch is UNKNOWN with one p4.v1.Error a member in ``grpc-status-details-bin``;
    an error of the request as a whole carries no details (specification, "Error Reporting").
    """
    if isinstance(error, StatusError):
        return GrpcStatus(_GRPC_CODES[int(error.code)], error.message, ())
    status = rpc_status.Status(code=Code.UNKNOWN, message=error.message)
    for member in error.errors:
        detail = p4r.Error()
        if member is not None:
            detail.canonical_code = member.code
            detail.message = member.message
            detail.space = ERROR_SPACE
            detail.code = member.code
        status.details.add().Pack(detail)
    details = (("grpc-status-details-bin", status.SerializeToString()),)
    return GrpcStatus(grpc.StatusCode.UNKNOWN, error.message, details)
