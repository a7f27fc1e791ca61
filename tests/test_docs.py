"""The pages lead somewhere: what they link to, each heading they name, and each path of the repository is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:src|tests|docs|\.ci)/[\w./-]+)`")

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Of each heading what GitHub makes of it: lower case, dashes for blanks, no punctuation."""
    headings = re.findall(r"^#+ +(.+)$", _prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_no_link_leads_nowhere(page: Path) -> None:
    for link in _LINK.findall(_prose(page)):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link}: there is no {path}"
        assert not anchor or anchor in _anchors(target), f"{link}: no heading of {target.name} is called so"


def test_every_path_that_is_named_exists(page: Path) -> None:
    for path in _PATH.findall(_prose(page)):
        assert (ROOT / path).exists(), f"there is no {path}"
