"""Holds what an operation is called with against its signature: names, and types by annotation."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from qplane.live.api import Operation, WrongArgumentError

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)  # "1" is no number, and true neither

_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "null",
}


class Signature:
    """The arguments that an operation takes."""

    def __init__(self, operation: Operation) -> None:
        hints = typing.get_type_hints(operation)
        self._parameters = inspect.signature(operation).parameters
        self._types = {name: hints.get(name, Any) for name in self._parameters}
        self._checks = {
            name: TypeAdapter[Any](hint, config=_STRICT) for name, hint in self._types.items()
        }

    def check(self, arguments: Mapping[str, object]) -> None:
        """Raises WrongArgumentError where one is missing, unknown or of another type."""
        for name, parameter in self._parameters.items():
            if name not in arguments and parameter.default is parameter.empty:
                raise WrongArgumentError(
                    None, None, f"{name} is missing: {_words(self._types[name])}"
                )
        for name, value in arguments.items():
            if name not in self._checks:
                known = ", ".join(self._parameters) or "none"
                raise WrongArgumentError(name, value, f"no such argument; there are: {known}")
            try:
                self._checks[name].validate_python(value)
            except ValidationError:
                wanted = _words(self._types[name])
                raise WrongArgumentError(name, value, f"should be {wanted}") from None


def _words(hint: object) -> str:
    """ "a number, text or null" of ``float | str | None``."""
    kinds = [hint]
    if get_origin(hint) in (Union, types.UnionType):
        kinds = list(get_args(hint))
    words = [
        f"a list, each {_words(get_args(kind)[0])}" if get_origin(kind) is list else
        _WORDS.get(kind, "a value")  # type: ignore[call-overload]
        for kind in kinds
    ]  # fmt: skip
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
