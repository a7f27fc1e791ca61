"""A workflow's page: its summary, search attributes and current details, for all that is stuck and all that is not."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle

from checkout.domain.ids import cart_of, workflow_id
from checkout.runtime.temporal import connect
from checkout.workflows import search
from tests.e2e.getting_stuck import CUSTOMER, HERS, sku
from tests.e2e.stuck import StuckShop
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("stuck"), pytest.mark.timeout(600)]

TOTAL = 6533  # two units of 25.00, shipping and tax


class Shown(NamedTuple):
    """State and phase by search attributes, and what the details say; where no worker answers, nothing of them."""

    state: str
    phase: str | None
    says: tuple[str, ...] = ()


AUTHORIZATION, CAPTURE = "payment_authorization", "payment_capture"
RETRY, RELEASE = "`checkout retry {id}`", "`checkout release {id} --reason …`"
SHOWN = {
    "database_away": Shown(
        "authorizing", AUTHORIZATION, ("database_error: the database at {cable} does not answer", RETRY, RELEASE)
    ),
    "row_locked": Shown(
        "reserving",
        "inventory_reservation",
        ("the row of stock (sku ROW-LOCKED, warehouse FRA) is locked by the database's process {holder}", RETRY),
    ),
    "gateway_away": Shown("capturing", CAPTURE, ("then everything is given back", "503", RETRY, "no longer")),
    "undoing_at_a_gateway_away": Shown("compensating", None, ("to be cancelled: `void_payment`", RETRY)),
    "gateway_refuses": Shown(
        "compensating",
        None,
        (
            "refuses to give the money of gw_lost back",
            "`checkout resolve {id} --compensation void_payment",
            "cancelled by ops (admin)",
        ),
    ),
    "worker_away": Shown("pending", "cart_validation"),
    "worker_gone": Shown("awaiting_payment", AUTHORIZATION),
    "terminated": Shown("awaiting_payment", AUTHORIZATION),
    "other_code": Shown("awaiting_payment", AUTHORIZATION),
    "poison": Shown("committing", "stock_commit", ("ck_stock_no_oversell", "ORD-", RETRY, "no longer be released")),
    "completed": Shown("completed", None, ("The order is paid", "ORD-")),
    "awaiting_payment": Shown("awaiting_payment", AUTHORIZATION, ("waits for the buyer to pay, until", RELEASE)),
    "requires_action": Shown("requires_action", AUTHORIZATION, ("waits for the buyer's approval", RELEASE)),
    "awaiting_funds": Shown("awaiting_funds", CAPTURE, ("waits for the bank transfer, until", "cancelled", RELEASE)),
    "declined": Shown("failed", AUTHORIZATION, ("everything is given back", "`card_declined`")),
    "cancelled": Shown("cancelled", None, ("It was cancelled", "cancelled by buyer")),
    "expired": Shown("expired", None, ("Its time was over",)),
}


async def handle_of(stuck: StuckShop, name: str) -> WorkflowHandle[Any, Any]:
    """The workflow of a checkout."""
    client = await connect(stuck.settings())
    return client.get_workflow_handle(workflow_id(str(cart_of(stuck.checkouts[name]))))


@pytest.mark.parametrize("name", SHOWN)
async def test_the_list_says_where_it_stands(stuck: StuckShop, name: str) -> None:
    found = await (await handle_of(stuck, name)).describe()
    assert await found.static_summary() == f"{cart_of(stuck.checkouts[name])} 2 {sku(name)}"
    shown, attributes = SHOWN[name], found.typed_search_attributes
    assert (attributes.get(search.STATE), attributes.get(search.PHASE)) == (shown.state, shown.phase)
    assert attributes.get(search.CART) == cart_of(stuck.checkouts[name])
    assert attributes.get(search.ITEMS) == f"2 {sku(name)}"
    assert attributes.get(search.CUSTOMER) == (CUSTOMER if name in HERS else None)
    assert attributes.get(search.FAILURE) == ("card_declined" if name == "declined" else None)
    priced = shown.state not in {"pending", "reserving"}
    assert attributes.get(search.TOTAL) == (TOTAL if priced else None)
    ordered = name in {"completed", "poison", "awaiting_funds", "gateway_away"}
    assert str(attributes.get(search.ORDER) or "").startswith("ORD-" if ordered else "")
    assert (attributes.get(search.ORDER) is not None) == ordered
    deadline = attributes.get(search.DEADLINE)
    assert (deadline is None) == (name == "worker_away")
    if deadline is not None:
        longer = timedelta(days=3) if name == "awaiting_funds" else timedelta(hours=1)
        assert found.start_time < deadline <= found.start_time + longer + timedelta(minutes=1)
        assert (deadline < datetime.now(UTC)) == (name in {"worker_gone", "expired"})


@pytest.mark.parametrize("name", [name for name, shown in SHOWN.items() if shown.says])
async def test_the_details_say_what_it_waits_for_and_what_ops_can_do(stuck: StuckShop, name: str) -> None:
    handle = await handle_of(stuck, name)
    details = ""

    async def told() -> bool:
        nonlocal details
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        details = str(metadata.current_details)
        return all(words(stuck, name, one) in details for one in SHOWN[name].says)

    try:
        await eventually(told, name, every=0.2, limit=20)
    except AssertionError:
        for one in SHOWN[name].says:
            assert words(stuck, name, one) in details
    assert details.startswith(f"**{SHOWN[name].state.replace('_', ' ').capitalize()}** since 20")
    assert "ada@example.com" not in details


def words(stuck: StuckShop, name: str, template: str) -> str:
    """A template with what differs from run to run."""
    return template.format(id=stuck.checkouts[name], cable=stuck.cable.address, holder=stuck.held_by)
