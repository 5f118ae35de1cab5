"""The examples of README.md and docs/memory.md run as they stand there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/memory.md"])
def test_the_example_runs(page, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    (example,) = [b for b in blocks if "QuantumMemory()" in b]
    exec(compile(example, page, "exec"), {})
    fidelity, success, bits = capsys.readouterr().out.splitlines()
    assert 0.5 < float(fidelity) < 1
    assert success.startswith(("(True", "(False"))
    assert re.fullmatch(r"[01] [01]", bits)
