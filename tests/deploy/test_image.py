"""The image has the run-time dependencies alone: what the package imports must come with them, at the lock's pins."""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
#: What runs servers as children, for `checkout dev` and the tests: no other command of the image loads these.
DEV_ALONE = ("runtime/embedded/", "cli/dev_stack.py")


@cache
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def installed_with(requirements: Iterable[str], python: str | None = None) -> set[str]:
    """The distributions that pip installs for these: what they ask for themselves included, and their extras'.

    ``python`` is the version to install them on (``3.11.2``), where it is not the one that runs.
    """
    on = {} if python is None else {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    found: set[tuple[str, str]] = set()
    left = [Requirement(text) for text in requirements]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in found:
                found.add((name, extra))
                asked = map(Requirement, distribution(name).requires or ())
                left += [one for one in asked if one.marker is None or one.marker.evaluate({"extra": extra, **on})]
    return {name for name, _ in found}


def imported(file: Path) -> Iterator[str]:
    """The top-level names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_what_the_package_imports_is_installed_with_it() -> None:
    runtime = installed_with(project()["dependencies"])
    dev = runtime | installed_with(project()["optional-dependencies"]["dev-servers"])
    owners = packages_distributions()
    missing = set()
    for file in SOURCE.rglob("*.py"):
        place = file.relative_to(SOURCE / "checkout").as_posix()
        there = dev if place.startswith(DEV_ALONE) else runtime
        for name in set(imported(file)) - sys.stdlib_module_names - {"checkout"}:
            if not {canonicalize_name(owner) for owner in owners.get(name, ())} & there:
                missing.add(f"{place} imports {name}, which no dependency brings")
    assert not missing, "add to the dependencies in pyproject.toml:\n" + "\n".join(sorted(missing))


@pytest.mark.parametrize("python", ["3.11.2", "3.11.9", "3.12.3", "3.13.1"])
def test_the_lock_pins_all_that_is_installed(python: str) -> None:
    """In the image, and in `.venv`, on each Python: Debian's has what later ones no longer need."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines}
    extras = project()["optional-dependencies"].values()
    asked = [*project()["dependencies"], *(one for extra in extras for one in extra)]
    assert installed_with(asked, python) <= pinned


def test_servers_of_one_machine_are_no_dependency() -> None:
    assert not set(project()["dependencies"]) & {*project()["optional-dependencies"]["dev-servers"]}
