"""A shop's own listeners: found by a setting, and what is wrong with them said in one line."""

import re
from pathlib import Path

import pytest

from checkout.domain.events import CheckoutCompleted
from checkout.listeners import Listeners, listener
from checkout.listeners.loading import listeners_of
from checkout.listeners.registry import marked
from checkout.runtime.settings import SettingsError, load_settings
from tests.support.own_code import Own

DOCS = Path(__file__).parents[2] / "docs" / "events.md"
OWN = """
from checkout.listeners import CheckoutCompleted, CheckoutFailed, Delivery, listener

@listener(CheckoutCompleted, name="warehouse", after=60)
async def tell_warehouse(event: CheckoutCompleted, delivery: Delivery) -> None: ...

@listener(CheckoutFailed)
async def count(event: CheckoutFailed, delivery: Delivery) -> None: ...

again = count
"""


def _load(places: str) -> Listeners:
    return listeners_of(load_settings(listeners=places))


def test_all_of_a_module_or_one(own: Own) -> None:
    module = own(OWN)
    assert [(one.name, one.after) for one in _load(module).known] == [("warehouse", 60), ("count", 0)]
    assert [one.name for one in _load(f"{module}:count").known] == ["count"]


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("", "", "which has no listeners"),
        (OWN, ":nothing", "nothing, which is no listener of"),
        ("import nowhere", "", "cannot be imported: ModuleNotFoundError"),
        ("raise OSError('no')", "", "cannot be imported: OSError: no"),
        (OWN.replace('name="warehouse"', 'name="count"'), "", "two listeners are called count"),
        (OWN.replace("async def count", "def count"), "", "has to be an `async def`"),
    ],
)
def test_wrong_ones(own: Own, source: str, place: str, said: str) -> None:
    module = own(source)
    with pytest.raises(SettingsError, match=said):
        _load(module + place)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match="CHECKOUT_LISTENERS names shop_of_nobody, which cannot be imported"):
        _load("shop_of_nobody")


def test_that_of_the_docs(own: Own) -> None:
    [source] = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)[:1]
    assert len(source.splitlines()) < 15
    [found] = _load(own(source)).known
    assert (found.name, found.event) == ("tell_the_warehouse", CheckoutCompleted)


def test_one_name_is_ours(own: Own) -> None:
    module = own(OWN.replace('name="warehouse"', 'name="webhooks"'))
    with pytest.raises(SettingsError, match="a listener is called webhooks, which is ours"):
        _load(module)


def test_a_question_that_fails_is_a_yes() -> None:
    """Who asks wrongly hears too much, and the checkout feels nothing."""

    def broken(_: CheckoutCompleted) -> bool:
        raise RuntimeError

    @listener(CheckoutCompleted, when=broken)
    async def hears(_event: CheckoutCompleted, _delivery: object) -> None: ...

    event = CheckoutCompleted(
        checkout_id="chk_1_2", cart_id="cart_1", at="", order_reference="ORD-1", currency="EUR", total=1
    )
    found = marked(hears)
    assert found is not None
    assert found.wants(event)
