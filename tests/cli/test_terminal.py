"""Tables on terminals of any width: nothing is cut, no word broken that would fit in a line."""

import io

import pytest
from rich.console import Console

from qplane.terminal import table

COLUMNS = ("circuit", "path", "cut-off ms", "delivered")
ROWS = (("alice-bob", "alice - repeater - bob", "20", "1234567"), ("c", "a - b", "0.5", "-"))


def shown(width: int) -> str:
    made = table("circuits", *COLUMNS, text=["path"])
    for row in ROWS:
        made.add_row(*row)
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(made)
    return out.getvalue()


@pytest.mark.parametrize("width", [10, 24, 38, 39, 45, 46, 60, 100])
def test_nothing_is_cut_and_no_word_broken(width):
    text = shown(width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    words = text.replace("│", " ").split()
    for word in " ".join(("circuits", *COLUMNS, *ROWS[0], *ROWS[1])).split():
        assert word in words or width < 20


def test_the_frame_goes_first_and_then_the_columns():
    assert "╭" in shown(100)
    framed = next(width for width in range(10, 100) if "╭" in shown(width))
    unframed = next(width for width in range(10, 100) if "\n circuit" in shown(width))
    assert 20 < unframed < framed < 60
    assert shown(unframed - 1).splitlines()[1].split() == ["circuit", "alice-bob"]
