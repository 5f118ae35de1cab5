"""What is said of a command line that can't be used: one line that names option and value."""

from __future__ import annotations

from pydantic import ValidationError
from typer import BadParameter, TyperException


def one_line(error: TyperException) -> str:
    """ "circuit add: --slots x: should be a valid integer, ... (see qplane circuit add --help)".

    Empty where the library has printed the help already, because nothing was asked for.
    """
    text = " ".join(_explained(error).split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if not text or context is None:
        return text
    path: str = context.command_path
    command = path.partition(" ")[2]
    return f"{command}{': ' if command else ''}{text} (see {path} --help)"


def _explained(error: TyperException) -> str:
    cause = error.__cause__
    if not isinstance(error, BadParameter) or not isinstance(cause, ValidationError):
        return error.format_message()
    flaw = cause.errors(include_url=False)[0]
    hint = "" if error.param is None else error.param.get_error_hint().replace("'", "")
    problem = flaw["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{hint} {flaw['input']}: {problem}"
