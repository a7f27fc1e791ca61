"""Workers run workflows outside the sandbox, so what a module keeps is shared by all of them: nothing may change it."""

import ast
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import checkout.domain
import checkout.workflows

#: Methods that change a list, a dict or a set.
_CHANGING = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
        *("update", "setdefault", "popitem"),
        *("add", "discard", "difference_update", "intersection_update", "symmetric_difference_update"),
    }
)


def _sources() -> Iterator[tuple[str, str]]:
    for package in (checkout.workflows, checkout.domain):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            spec = importlib.util.find_spec(module.name)
            assert spec is not None
            assert spec.origin is not None
            yield module.name, Path(spec.origin).read_text(encoding="utf-8")


def changes_to_shared_state(source: str) -> list[str]:
    """Every line of a module that changes what its functions share: its own names, its classes, what it imports."""
    tree = ast.parse(source)
    shared = _bound(tree.body)
    found: list[str] = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        own = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)} | _bound(function.body)
        seen = shared - own
        for node in (node for statement in function.body for node in ast.walk(statement)):
            if isinstance(node, ast.Global):
                found.append(f"{node.lineno}: global {', '.join(node.names)}")
            elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
                found += [f"{node.lineno}: {ast.unparse(node)} is written"] * (_root(node) in seen)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
                found += [f"{node.lineno}: {ast.unparse(node.func)}()"] * (_root(node.func.value) in seen)
    return found


def _bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements bind, those inside of functions and classes left out."""
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        else:
            names |= {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return names


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def test_nothing_that_workflows_share_is_changed() -> None:
    sources = dict(_sources())
    assert {"checkout.workflows.checkout", "checkout.domain.progress"} <= set(sources)
    assert {name: found for name, source in sources.items() if (found := changes_to_shared_state(source))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "global SEEN; SEEN = {}",
        "SEEN[key] = 1",
        "SEEN.update({})",
        "del SEEN[key]",
        "Kept.last = key",
        "SEEN['a'] += 1",
    ],
)
def test_a_change_is_found(line: str) -> None:
    source = f"SEEN = {{}}\nclass Kept:\n    last = None\n    def keep(self, key):\n        {line}\n"
    assert changes_to_shared_state(source)


def test_what_a_function_makes_itself_may_change() -> None:
    assert not changes_to_shared_state(
        "seen = {}\ndef count(keys):\n    seen = {}\n    seen[keys] = 1\n    return seen\n"
    )
