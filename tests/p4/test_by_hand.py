"""The commands of docs/p4.md, "By hand", as they stand there."""

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from diff.target import SIMPLE_SWITCH, find_embedded

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        not (ROOT / ".venv-shell/bin/python").exists(),
        reason="`make venv-shell` prepares p4runtime-shell",
    ),
]


@pytest.mark.parametrize(
    "switch",
    [
        pytest.param(find_embedded, id="embedded"),
        pytest.param(lambda: SIMPLE_SWITCH, id="bmv2", marks=(pytest.mark.bmv2, pytest.mark.slow)),
    ],
)
def test_a_hop_by_hand(switch, tmp_path):
    text = (ROOT / "docs/p4.md").read_text()
    (commands,) = re.findall(r"^    sudo unshare -n bash\n((?:    .*\n)+)", text, re.MULTILINE)
    assert commands.count("simple_switch_grpc") == 1
    script = textwrap.dedent(commands).replace("simple_switch_grpc", switch())
    script = script.replace("--cpu-port 510 &", f"--cpu-port 510 > {tmp_path}/log 2>&1 &")
    done = subprocess.run(
        ["unshare", "-n", "bash", "-e", "-c", f"trap 'kill $!' EXIT\n{script}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    left = [line for line in done.stdout.splitlines() if line.startswith("down1 ")]
    assert len(left) == 1 and left[0].endswith("/ ACH / QCI / QCIPair")
    shown = dict(re.findall(r"(\w+) *= (\S+)", done.stdout))
    assert (shown["pair_seq"], shown["origin_seq"], shown["bell"]) == ("9", "5", "PSI_MINUS")
