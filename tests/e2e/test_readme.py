"""The README's sale: every command as it stands there, with the output that is promised."""

from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.support.walkthrough import steps_of, walk

ROOT = Path(__file__).parents[2]
SECTION = "## One sale, with curl"

pytestmark = pytest.mark.xdist_group("sale")


def test_the_sale_of_the_readme_runs_as_it_stands(stack: Stack, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition(SECTION)[2].partition("\n## ")[0]
    gateway = stack.described()["gateway"]["url"]
    steps = steps_of(section.replace("http://127.0.0.1:8000", stack.url).replace("http://127.0.0.1:8001", gateway))
    assert len(steps) >= 5, "the README has lost its sale"
    walk(steps, tmp_path)
