"""The one error of this package."""


class WireError(ValueError):
    """A message can't be built or read: says which field of what, its value, and what is right."""

    def __init__(self, message: str, field: str, value: object, expected: str) -> None:
        super().__init__(f"{message}: {field} is {value!r}, expected {expected}")
        self.message = message
        self.field = field
        self.value = value
        self.expected = expected
