"""Reads bit tables out of ``docs/wire.md`` and out of P4 header declarations."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WIRE_MD = ROOT / "docs/wire.md"
HEADERS_P4 = [
    ROOT / "p4src/include" / f"{name}.p4"
    for name in ("common_headers", "headers", "herald_headers")
]

Row = tuple[str, int]  # field name, width in bits


def doc_tables(text: str) -> dict[str, list[Row]]:
    """Title -> fields, for each table that begins ``| field | bits |`` and each inline one.

    A table's title is the nearest heading, or bold words at a line's start, above it: its words up
    to a comma or a bracket. An inline table is a paragraph that names widths as in
    **title**, N bytes: `field` 9, `other` 7.
    """
    tables: dict[str, list[Row]] = {}
    title = ""
    rows: list[Row] | None = None
    for line in text.splitlines():
        heading = re.match(r"#+ (?P<a>[^,(]+)|\*\*(?P<b>[^*]+)\*\*", line)
        if heading:
            title = (heading["a"] or heading["b"]).strip()
        if line.startswith("| field | bits |"):
            rows = tables.setdefault(title, [])
        elif not line.startswith("|"):
            rows = None
        elif rows is not None and not line.startswith("| ---"):
            name, bits = (cell.strip() for cell in line.split("|")[1:3])
            rows.append((name, int(bits)))
        if heading and heading["b"] and re.search(r"\d+ bytes.*: ?`", line):
            tables[title] = [
                (n, int(b)) for n, b in re.findall(r"`(\w+)` (\d+)", _rest(text, line))
            ]
    return tables


def _rest(text: str, line: str) -> str:
    """The paragraph part from ``line`` to the next bold title, heading or blank line."""
    tail = text[text.index(line) :]
    return re.split(r"\n(?=\*\*|#|\n)", tail)[0]


def doc_numbers(text: str) -> dict[str, int]:
    """Name -> number, for each table row ``| 0x.. | NAME |`` of message types."""
    rows = re.findall(r"^\| (0x[0-9a-fA-F]+) \| ([A-Z_]+) \|", text, re.MULTILINE)
    return {name: int(number, 16) for number, name in rows}


def doc_senders(text: str) -> dict[str, str]:
    """Name -> "device" or "switch", of the device frames about qubits."""
    found = re.findall(r"^\| 0x\w+ \| ([A-Z_]+) \| (device|switch) \|", text, re.MULTILINE)
    return dict(found)


def doc_reasons(text: str) -> dict[str, int]:
    """Name -> number, of the reasons of EXPIRE."""
    paragraph = re.search(r"^Reasons: .*?\n\n", text, re.MULTILINE | re.DOTALL)
    assert paragraph is not None
    return {name: int(n) for n, name in re.findall(r"(\d+) ([A-Z][A-Z_]+)", paragraph[0])}


def p4_headers(text: str) -> dict[str, list[Row]]:
    """Header type -> fields."""
    headers = {}
    for name, body in re.findall(r"\bheader (\w+) \{(.*?)\}", text, re.DOTALL):
        fields = re.findall(r"^\s*(\w+)<(\d+)> (\w+);", body, re.MULTILINE)
        headers[name] = [(field, int(bits)) for _, bits, field in fields]
    return headers


def p4_constants(text: str) -> dict[str, tuple[int, int]]:
    """Constant -> width in bits, value."""
    found = re.findall(r"const bit<(\d+)> (\w+) = (0x[0-9a-fA-F]+|\d+);", text)
    return {name: (int(bits), int(value, 0)) for bits, name, value in found}
