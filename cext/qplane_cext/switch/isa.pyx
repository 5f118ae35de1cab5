"""The instruction set's run-time module: makes :class:`Op` importable from Python."""
