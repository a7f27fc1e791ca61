"""What has to be true once a checkout has ended: in its row, its cart, stock, orders, and the gateway's ledger (G4)."""

from typing import Any

from checkout.domain.words import Phase, State
from tests.support.invariants import check_invariants
from tests.workflows.engine import Run
from tests.workflows.stage import Stage


async def assert_ended(
    stage: Stage, run: Run, state: State, code: str | None = None, phase: Phase | None = None
) -> dict[str, Any]:
    """The checkout ended so, and nothing is left of it, or of any other, that should not be; gives its row."""
    row = await stage.row(run)
    failure = row["failure"] or {}
    assert (row["state"], failure.get("code"), failure.get("phase")) == (state, code, phase), row
    await assert_all_or_nothing(stage, run)
    errs = code == "authorized_amount_differs"
    await check_invariants(stage.engine, await stage.ledger(), gateway_errs=errs)
    return row


async def assert_all_or_nothing(stage: Stage, run: Run) -> dict[str, Any]:
    """The checkout has ended, completed or with nothing left of it; looks at no other checkout. Gives its row."""
    row = await stage.row(run)
    assert State(row["state"]).closed, row
    completed = row["state"] == State.COMPLETED
    await _cart_is_free(stage, run, row, ordered=completed)
    await _stock_is_right(stage, run, sold=completed)
    await _orders_are_right(stage, run, row, paid=completed)
    await _money_is_right(stage, run, kept=row["total"] if completed else 0)
    return row


async def _cart_is_free(stage: Stage, run: Run, row: dict[str, Any], *, ordered: bool) -> None:
    cart = await stage.shop.rows(
        "SELECT locked_by, checkout_id, order_reference FROM carts WHERE id = :id", id=run.checkout.cart_id
    )
    assert cart == [(None, run.checkout.checkout_id, row["order_reference"] if ordered else None)]


async def _stock_is_right(stage: Stage, run: Run, *, sold: bool) -> None:
    lines = await stage.shop.rows(
        "SELECT variant_id, quantity FROM cart_lines WHERE cart_id = :cart", cart=run.checkout.cart_id
    )
    moved = {
        variant: (on_hand, reserved)
        for variant, on_hand, reserved in await stage.shop.rows(
            "SELECT variant_id, sum(on_hand_delta)::int, sum(reserved_delta)::int FROM stock_movements "
            "WHERE checkout_id = :id GROUP BY variant_id",
            id=run.checkout.checkout_id,
        )
    }
    if sold:
        assert moved == {variant: (-quantity, 0) for variant, quantity in lines}
    else:
        assert set(moved.values()) <= {(0, 0)}, moved
    statuses = await stage.shop.rows(
        "SELECT DISTINCT status FROM reservations WHERE checkout_id = :id", id=run.checkout.checkout_id
    )
    assert set(statuses) <= {("committed",) if sold else ("released",)}


async def _orders_are_right(stage: Stage, run: Run, row: dict[str, Any], *, paid: bool) -> None:
    orders = await stage.shop.rows(
        "SELECT reference, status, total FROM orders WHERE checkout_id = :id", id=run.checkout.checkout_id
    )
    if paid:
        assert orders == [(row["order_reference"], "paid", row["total"])]
    else:
        assert {status for _, status, _ in orders} <= {"cancelled"}
        assert len(orders) <= 1


async def _money_is_right(stage: Stage, run: Run, *, kept: int) -> None:
    items = await stage.ledger(run)
    for item in items:
        assert item["authorized"] == item["captured"] + item["voided"], item
    assert sum(item["captured"] - item["refunded"] for item in items) == kept, items
