"""Figures in the docs are what the code gives."""

import doctest
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_closed_forms_of_a_laboratorys_link():
    found = doctest.testfile(str(DOCS / "mhp.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0
