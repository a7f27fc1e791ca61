"""What the worker registers is what there is: nothing decorated is left out, and all of it keeps the contract."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, cast, get_type_hints

import checkout.activities
import checkout.workflows
from checkout.domain.contract import EVERY_ACTIVITY
from checkout.payments.simulated.client import SimulatedGateway
from checkout.runtime.database import create_sessions, engine_for
from checkout.worker import WORKFLOWS, create_activities

_ACTIVITY = "__temporal_activity_definition"
_WORKFLOW = "__temporal_workflow_definition"


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(module.name)


def _registered() -> dict[str, Callable[..., Any]]:
    sessions = create_sessions(engine_for("postgresql:///nowhere"))
    activities = create_activities(sessions, SimulatedGateway("http://nowhere", "key"))
    names = [cast(Any, activity).__temporal_activity_definition.name for activity in activities]
    assert len(set(names)) == len(names), "an activity is registered twice"
    return dict(zip(names, activities, strict=True))


def test_every_decorated_activity_is_registered() -> None:
    decorated = set()
    for module in _modules(checkout.activities):
        for holder in (module, *(one for one in vars(module).values() if isinstance(one, type))):
            for value in vars(holder).values():
                if definition := getattr(value, _ACTIVITY, None):
                    decorated.add(definition.name)
    assert decorated == set(_registered())


def test_every_decorated_workflow_is_registered() -> None:
    decorated = {
        value
        for module in _modules(checkout.workflows)
        for value in vars(module).values()
        if isinstance(value, type) and hasattr(value, _WORKFLOW)
    }
    assert decorated == set(WORKFLOWS)


def test_activities_keep_the_contract() -> None:
    registered = _registered()
    assert set(registered) == {str(one.name) for one in EVERY_ACTIVITY}
    for one in EVERY_ACTIVITY:
        hints = get_type_hints(registered[one.name])
        gives = hints.pop("return")
        assert (list(hints.values()), gives) == ([one.takes], one.gives), one.name
