"""Modules of a shop's own, as settings name them."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

#: Makes a module of this source, and gives its name.
Own = Callable[[str], str]


def modules_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    """Makes modules in this directory, importable while the test runs."""
    monkeypatch.syspath_prepend(str(directory))

    def write(source: str) -> str:
        name = f"shop_{directory.name.replace('-', '_')}"
        (directory / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write
