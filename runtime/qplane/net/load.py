"""Reads a network file: TOML, sections, network; any flaw is a NetworkFileError."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from qplane.arguments import checked
from qplane.net import build as building
from qplane.net import schema
from qplane.net.errors import InconsistentError, NetworkFileError
from qplane.net.locate import line_of
from qplane.net.model import Network

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Place = tuple[str | int, ...]

_MODELS: dict[Place, type[BaseModel]] = {
    (): schema.NetworkFile,
    ("network",): schema.General,
    ("memories", "*"): schema.Memory,
    ("nodes", "*"): schema.NodeSection,
    ("defaults",): schema.Defaults,
    ("defaults", "link"): schema.LinkSection,
    ("links", "*"): schema.LinkSection,
    ("circuits", "*"): schema.CircuitSection,
    ("slices", "*"): schema.SliceSection,
    ("telemetry",): schema.TelemetrySection,
    ("hosts", "*"): schema.HostSection,
    ("label_paths", "*"): schema.LabelPathSection,
    ("pings", "*"): schema.PingSection,
    ("faults",): schema.Faults,
}


@checked
def load(path: str | Path, *, stations: bool = False) -> Network:
    """The network in the file at `path`, as :func:`loads` has it. Raises NetworkFileError."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise NetworkFileError(
            f"can't be read: {error.strerror or error}", file=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise NetworkFileError(
            f"is not a text file (byte {error.start} is not UTF-8)", file=str(path)
        ) from error
    return loads(text, file=str(path), stations=stations)


@checked
def loads(text: str, *, file: str = "<text>", stations: bool = False) -> Network:
    """The network in `text`; `file` is its name in messages. Raises NetworkFileError.

    With `stations`, each link that carries qubits and whose table says nothing of `herald` has a
    heralding station of its own, so that pairs can be ordered from it.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NetworkFileError(f"is not TOML: {error}", file=file) from error
    _merge_link_defaults(data, {"herald": True} if stations else {})
    try:
        return building.build(schema.NetworkFile.model_validate(data))
    except ValidationError as error:
        place, problem = explained(error)
    except InconsistentError as error:
        place, problem = error.path, error.problem
    raise NetworkFileError(
        problem,
        file=file,
        line=_line(text, data, place),
        field=_dotted(place),
        value=_value(data, place),
    )


def _merge_link_defaults(data: dict[str, Any], more: dict[str, Any]) -> None:
    """Give every link the keys of [defaults.link], and of `more`, that it does not set itself."""
    defaults = data.get("defaults", {})
    links = data.get("links")
    if not isinstance(defaults, dict) or not isinstance(links, list):
        return  # validation will say what is wrong, if anything is
    common = defaults.get("link", {})
    if isinstance(common, dict):
        given = {**more, **common}
        data["links"] = [{**given, **link} if isinstance(link, dict) else link for link in links]


def explained(error: ValidationError) -> tuple[Place, str]:
    """Where the first flaw is, and what is wrong there."""
    found = error.errors(include_url=False)
    # A misspelt key explains better than "is missing" what is wrong.
    found.sort(key=lambda details: details["type"] != "extra_forbidden")
    return _explain(found[0])


def _explain(details: ErrorDetails) -> tuple[Place, str]:
    """Where, and what is wrong, of the first thing that validation found."""
    place: Place = tuple(part for part in details["loc"] if part not in ("[key]", ""))
    kind = details["type"]
    if kind == "extra_forbidden":
        return place, _unknown_key(place)
    if kind == "missing":
        return place, "is missing"
    if kind == "value_error":
        return place, str(details["ctx"]["error"])
    context = details.get("ctx", {})
    wanted = _WANTED.get(kind)
    if wanted is None:  # pydantic's own words are better than none
        wanted = details["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return place, f"should be {wanted.format_map(context)}"


_WANTED = {
    "dict_type": "a table, with keys of its own",
    "model_type": "a table, with keys of its own",
    "list_type": "a list; in TOML, [...] for names and [[...]] for tables",
    "too_short": "a list of at least {min_length}, not of {actual_length}",
    "too_long": "a list of at most {max_length}, not of {actual_length}",
    "string_type": "text, in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
"""What would be right, by pydantic's kind of error."""


def _unknown_key(place: Place) -> str:
    model = _model_at(place[:-1])
    known = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(str(place[-1]), known, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return f"unknown key{hint} (known here: {', '.join(known)})"


def _model_at(place: Place) -> type[BaseModel]:
    for pattern, model in _MODELS.items():
        if len(pattern) == len(place) and all(
            want in ("*", have) for want, have in zip(pattern, place, strict=True)
        ):
            return model
    raise LookupError(f"no section at {place}")  # a section that _MODELS does not list


def _line(text: str, data: dict[str, Any], place: Place) -> int | None:
    """The line of `place`, or of the default that it took its value from."""
    line = line_of(text, place)
    if len(place) >= 3 and place[0] == "links":
        own = line_of(text, place[:2])
        if line == own:  # the key itself is not in the link's table
            default = line_of(text, ("defaults", "link", *place[2:]))
            if default is not None and default != line_of(text, ("defaults", "link")):
                return default
    return line


def _dotted(place: Sequence[str | int]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _value(data: object, place: Place) -> object:
    """What stands at `place` in the file; None where it is missing or a whole table."""
    for part in place:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]  # type: ignore[index]
        else:
            return None
    return None if isinstance(data, (dict, list)) else data
