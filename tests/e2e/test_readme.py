"""The README's sale: every command as it stands there, with the output that is promised."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import Stack

ROOT = Path(__file__).parents[2]
SECTION = "## One sale, with curl"
BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)

pytestmark = pytest.mark.xdist_group("sale")


def _steps(stack: Stack) -> list[tuple[str, str]]:
    """Each block of commands, with the block of output that follows it ('' where none is promised)."""
    section = (ROOT / "README.md").read_text().partition(SECTION)[2].partition("\n## ")[0]
    gateway = stack.described()["gateway"]["url"]
    section = section.replace("http://127.0.0.1:8000", stack.url).replace("http://127.0.0.1:8001", gateway)
    steps: list[tuple[str, str]] = []
    for kind, text in BLOCK.findall(section):
        if kind == "sh":
            steps.append((text, ""))
        else:
            steps[-1] = (steps[-1][0], text)
    return steps


def _agrees(promised: str, printed: str) -> bool:
    """Whether the output is the promised one, an ellipsis standing for anything within its line."""
    pattern = ".*".join(re.escape(part) for part in promised.split("…"))
    return re.fullmatch(pattern, printed) is not None


def test_the_sale_of_the_readme_runs_as_it_stands(stack: Stack, tmp_path: Path) -> None:
    steps = _steps(stack)
    assert len(steps) >= 5, "the README has lost its sale"
    # One shell for all blocks, as a reader has; a line between them tells whose output is whose.
    seam = "=== next block ==="
    script = f"echo '{seam}'\n".join(commands for commands, _ in steps)
    shell = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
    )
    printed = shell.stdout.split(f"{seam}\n")
    for (commands, promised), output in zip(steps, printed, strict=True):
        assert _agrees(promised, output), f"{commands}\npromised:\n{promised}\nprinted:\n{output}\n{shell.stderr}"
