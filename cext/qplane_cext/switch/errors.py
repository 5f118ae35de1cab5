"""What the packet path refuses, and how it says so."""


class PipelineError(ValueError):
    """The JSON is malformed or uses what is not supported; names the construct and source line."""


class SwitchError(Exception):
    """A control-plane call that can't be done. Nothing was changed.

    ``reason`` is the name of the P4Runtime status that fits: "NOT_FOUND", "ALREADY_EXISTS",
    "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE",
    "UNIMPLEMENTED" or "PERMISSION_DENIED".
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
