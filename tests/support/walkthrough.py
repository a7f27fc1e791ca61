"""Pages that show commands and what they print: both as they stand there."""

import re
import subprocess
from pathlib import Path

_BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)
_SEAM = "=== next block ==="

#: A block of commands, and the output that is promised for it ('' where none is).
Step = tuple[str, str]


def steps_of(page: str) -> list[Step]:
    """Each block of commands, with the block of output that follows it at once."""
    steps: list[Step] = []
    end = 0
    for block in _BLOCK.finditer(page):
        if block[1] == "sh":
            steps.append((block[2], ""))
        elif steps and not page[end : block.start()].strip():
            steps[-1] = (steps[-1][0], block[2])
        end = block.end()
    return steps


def walk(steps: list[Step], directory: Path) -> None:
    """Run all blocks in one shell, as a reader has it. Raises AssertionError where one prints what is not promised."""
    script = f"echo '{_SEAM}'\n".join(commands for commands, _ in steps)
    shell = subprocess.run(
        ["bash", "-c", script], cwd=directory, capture_output=True, text=True, timeout=180, check=False
    )
    printed = shell.stdout.split(f"{_SEAM}\n")
    for (commands, promised), output in zip(steps, printed, strict=True):
        assert _agrees(promised, output), f"{commands}\npromised:\n{promised}\nprinted:\n{output}\n{shell.stderr}"


def _agrees(promised: str, printed: str) -> bool:
    """Whether the output is the promised one, an ellipsis standing for anything within its line."""
    pattern = ".*".join(re.escape(part) for part in promised.split("…"))
    return re.fullmatch(pattern, printed) is not None
