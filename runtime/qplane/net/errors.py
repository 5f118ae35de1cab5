"""The error that a bad network file gives, and what it is made of where sections disagree."""

from __future__ import annotations


class NetworkFileError(ValueError):
    """A network file that can't be used.

    `file`, `line` (1-based, None where unknown), `field` (dotted path) and `value` say where,
    `problem` what is wrong and what would be right. ``str()`` is all of it on one line.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str,
        line: int | None = None,
        field: str = "",
        value: object = None,
    ) -> None:
        self.file = file
        self.line = line
        self.field = field
        self.value = value
        self.problem = problem
        where = file if line is None else f"{file}, line {line}"
        if field:
            where += f": {field}"
            if value is not None:
                where += f" = {_shown(value)}"
        super().__init__(_one_line(f"{where}: {problem}"))


def _one_line(text: str) -> str:
    """Line breaks and other characters that a terminal would act on, as in a Python string."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class InconsistentError(ValueError):
    """Sections that contradict each other. `path` leads to the key that should be changed."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
