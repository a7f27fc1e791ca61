"""Checkouts over HTTP, on everything that is real: what each call answers, and what is true afterwards."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from checkout.domain import contract
from checkout.domain.ids import workflow_id
from tests.api.buyer import CARD, Buyer, card
from tests.api.problem import problem
from tests.support.shop import Basket
from tests.workflows.fakes import Gate
from tests.workflows.faults import waits
from tests.workflows.stage import Stage

pytestmark = pytest.mark.usefixtures("worker")

KEYS = {
    *("id", "cart_id", "version", "state", "state_name", "phase", "locked", "can_resume", "can_cancel", "can_extend"),
    *("server_time", "created_at", "locked_at", "expires_at", "completed_at", "failed_at", "currency", "totals"),
    *("lines", "adjustments", "payment", "next_action", "last_error", "failure", "order"),
}


def without_clock(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in {"server_time", "waiting_for"}}


async def tokens_kept(stage: Stage) -> list[tuple[Any, ...]]:
    return await stage.shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL")


async def held(stage: Stage) -> int:
    return int(await stage.shop.execute("SELECT sum(reserved) FROM stock"))


async def test_a_sale_step_by_step(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=2, LAMP=1))
    answer = await buyer.start(expected_total=9984)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert answer.headers["location"] == f"/checkouts/{shown['id']}"
    assert shown.keys() == KEYS
    assert (shown["state"], shown["state_name"], shown["phase"]) == (
        "awaiting_payment",
        "Awaiting payment",
        "payment_authorization",
    )
    assert [shown[name] for name in ("locked", "can_resume", "can_cancel", "can_extend")] == [True] * 4
    assert shown["totals"] == {
        "sub_total": 7900,
        "discount_total": 0,
        "shipping_total": 490,
        "tax_total": 1594,
        "total": 9984,
    }
    assert [(line["sku"], line["quantity"], line["total"]) for line in shown["lines"]] == [
        ("MUG", 2, 3570),
        ("LAMP", 1, 5831),
    ]
    assert shown["payment"] == {"method": None, "status": "none", "amount": 9984, "attempts_left": 3}
    assert [shown[name] for name in ("next_action", "last_error", "failure", "order", "adjustments")] == [
        *(None, None, None, None),
        [],
    ]
    assert without_clock(await buyer.get(shown["id"])) == without_clock(shown)

    path = f"/carts/{buyer.cart_id}"
    problem(await buyer.call("PUT", f"{path}/lines/MUG", {"quantity": 1}), 423, "cart_locked")
    standing = (await buyer.call("GET", f"{path}/checkout")).json()
    assert (standing["locked"], standing["can_checkout"], standing["reasons"]) == (True, False, ["cart_locked"])
    assert standing["checkout"]["id"] == shown["id"]

    paid = await buyer.pay(shown["id"], expected_total=9984)
    assert paid.status_code == 200, paid.text
    done = paid.json()
    assert (done["state"], done["locked"], done["payment"]["status"]) == ("completed", False, "captured")
    assert done["payment"]["method"] == "card"
    assert done["order"]["status"] == "paid"
    assert done["completed_at"]
    assert done["version"] > shown["version"]
    assert without_clock(await buyer.get(shown["id"])) == without_clock(done)

    order = (await buyer.call("GET", f"/orders/{done['order']['reference']}")).json()
    assert order.keys() >= {"reference", "checkout_id", "status", "currency", "totals", "lines", "addresses", "payment"}
    assert (order["totals"], order["lines"], order["status"]) == (shown["totals"], shown["lines"], "paid")
    assert order["addresses"]["shipping"]["city"] == "Berlin"
    assert (await buyer.call("GET", "/orders")).json() == {"items": [order], "next_cursor": None}
    stranger = Buyer(http, await stage.cart())
    problem(await stranger.call("GET", f"/orders/{order['reference']}"), 404, "order_not_found")
    problem(await buyer.call("GET", "/orders?cursor=x"), 422, "validation_failed", "cursor")
    assert (await stranger.call("GET", "/orders")).json() == {"items": [], "next_cursor": None}

    problem(await buyer.start(), 409, "cart_ordered")
    problem(await buyer.call("PUT", f"{path}/lines/MUG", {"quantity": 1}), 409, "cart_ordered")
    problem(await buyer.pay(shown["id"]), 409, "not_payable")
    problem(await buyer.extend(shown["id"], 60), 409, "not_extendable")
    problem(await buyer.cancel(shown["id"]), 409, "too_late")
    assert (await buyer.cart())["order_reference"] == order["reference"]
    assert await tokens_kept(stage) == []
    ledger = await stage.ledger()
    assert [(item["authorized"], item["captured"], item["refunded"]) for item in ledger] == [(9984, 9984, 0)]


async def test_an_express_start_is_completed_at_once(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    answer = await buyer.start(payment=CARD)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "completed"
    assert answer.json()["order"]["status"] == "paid"
    assert await tokens_kept(stage) == []


async def test_a_declined_express_start_leaves_the_checkout_to_be_paid(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    declined = problem(await buyer.start(payment=card("tok_insufficientFunds")), 402, "payment_declined")
    assert (declined["attempts_left"], declined["context"]["reason"]) == (2, "insufficient_funds")
    assert declined["phase"] == "payment_authorization"
    shown = await buyer.get(declined["checkout_id"])
    assert (shown["state"], shown["last_error"]["code"]) == ("awaiting_payment", "insufficient_funds")
    assert shown["payment"]["attempts_left"] == 2
    again = await buyer.start(payment=CARD)  # a repeat, a refresh: it pays nothing
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, shown["id"], "awaiting_payment")
    assert await stage.ledger() == []
    assert await tokens_kept(stage) == []
    assert (await buyer.pay(shown["id"])).json()["state"] == "completed"


async def test_of_ten_equal_starts_exactly_one_is_the_first(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=1))
    answers = await asyncio.gather(*(buyer.start() for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert {answer.json()["state"] for answer in answers} == {"awaiting_payment"}
    assert await held(stage) == 1


async def test_of_ten_equal_express_starts_one_pays(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=1))
    answers = await asyncio.gather(*(buyer.start(payment=CARD) for _ in range(10)))
    # One that comes when all is done already finds an order instead of a checkout.
    codes = [answer.status_code for answer in answers]
    assert codes.count(201) == 1
    assert set(codes) <= {200, 201, 202, 409}
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "cart_ordered")
    assert len(await stage.ledger()) == 1
    assert await stage.shop.rows("SELECT status FROM orders") == [("paid",)]
    assert await tokens_kept(stage) == []


async def test_of_two_sessions_of_a_customer_one_gets_the_checkout(http: httpx.AsyncClient, stage: Stage) -> None:
    basket = await stage.shop.cart({"MUG": 1}, customer_id="customer-1")
    buyers = [Buyer(http, basket), Buyer(http, basket, session_id="ses_phone")]
    answers = await asyncio.gather(*(buyer.start() for buyer in buyers for _ in range(4)))
    won = [answers[:4], answers[4:]]
    won.sort(key=lambda four: four[0].status_code)
    assert sorted(answer.status_code for answer in won[0]) == [200, 200, 200, 201]
    for answer in won[1]:
        problem(answer, 409, "checkout_in_progress")
    assert await held(stage) == 1


async def test_a_running_checkout_of_another_total_is_not_answered_as_this_one(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    buyer = Buyer(http, await stage.cart(MUG=1))
    checkout_id = await buyer.started()
    refused = problem(await buyer.start(expected_total=1), 409, "total_mismatch")
    assert (refused["checkout_id"], refused["context"]["expected_total"]) == (checkout_id, 1)
    unpaid = problem(await buyer.pay(checkout_id, expected_total=1), 409, "total_mismatch")
    assert (unpaid["checkout_id"], unpaid["context"]) == (checkout_id, refused["context"])
    assert (await buyer.get(checkout_id))["state"] == "awaiting_payment"
    assert await tokens_kept(stage) == []


async def test_what_changed_since_the_cart_was_shown_is_told(http: httpx.AsyncClient, stage: Stage) -> None:
    await stage.shop.execute(
        "INSERT INTO promotions (code, name, kind, product_handle, basis_points) "
        "VALUES ('MUGS', 'Mugs', 'product_percentage', 'mug', 1000)"
    )
    buyer = Buyer(http, await stage.cart(MUG=2, LAMP=1))
    shown = (await buyer.cart())["total"]
    await stage.shop.execute("UPDATE promotions SET ends_at = now()")
    refused = problem(await buyer.start(expected_total=shown), 422, "total_mismatch")
    now = (await buyer.cart())["total"]
    context = refused["context"]
    assert (context["expected_total"], context["total"], context["changed"]) == (shown, now, ["promotion"])
    assert [(line["sku"], line["discount_total"], line["changed"]) for line in context["lines"]] == [
        ("MUG", 0, ["promotion"])
    ]
    assert (await buyer.start(expected_total=now)).status_code == 201


async def test_what_a_phase_refuses_holds_nothing(http: httpx.AsyncClient, stage: Stage) -> None:
    short = Buyer(http, await stage.cart(MUG=101, LAMP=121))
    refused = problem(await short.start(), 422, "insufficient_stock")
    assert refused["context"]["lines"] == [
        {"sku": "MUG", "requested": 101, "available": 100},
        {"sku": "LAMP", "requested": 121, "available": 120},
    ]
    assert (await short.get(refused["checkout_id"]))["state"] == "failed"
    cases: list[tuple[Basket, dict[str, Any], str, str]] = [
        (await stage.shop.cart({}), {}, "empty_cart", "cart_validation"),
        (await stage.shop.cart({"MUG": 1}, email=None), {}, "email_missing", "cart_validation"),
        (await stage.shop.cart({"MUG": 1}, country=""), {}, "address_missing", "cart_validation"),
        (await stage.cart(), {"expected_total": 5}, "total_mismatch", "price_lock"),
        (await stage.cart(), {"expected_total": 5, "payment": CARD}, "total_mismatch", "price_lock"),
    ]
    for basket, wanted, code, phase in cases:
        buyer = Buyer(http, basket)
        refused = problem(await buyer.start(**wanted), 422, code)
        assert (refused["phase"], refused["checkout_id"][:4]) == (phase, "chk_")
        cart = await buyer.cart()
        assert (cart["locked"], cart["checkout_id"]) == (False, refused["checkout_id"])
    assert await held(stage) == 0
    assert await tokens_kept(stage) == []
    assert await stage.ledger() == []


async def test_less_is_taken_where_the_buyer_wants_it_so(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=101, LAMP=1))
    shown = (await buyer.start(on_shortage="reduce")).json()
    assert shown["adjustments"] == [{"sku": "MUG", "requested": 101, "taken": 100}]
    assert [(line["sku"], line["quantity"]) for line in shown["lines"]] == [("MUG", 100), ("LAMP", 1)]


async def test_three_declines_give_all_back(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=1))
    checkout_id = await buyer.started()
    for left in (2, 1, 0):
        declined = problem(await buyer.pay(checkout_id, "tok_chargeDeclined"), 402, "payment_declined")
        assert declined["attempts_left"] == left
    assert (await buyer.get(checkout_id))["state"] == "failed"
    problem(await buyer.pay(checkout_id), 409, "not_payable")
    assert await held(stage) == 0
    assert (await buyer.cart())["locked"] is False


async def test_a_failing_capture_gives_all_back(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=1))
    checkout_id = await buyer.started()
    failed = problem(await buyer.pay(checkout_id, "tok_captureFails"), 422, "capture_refused")
    assert (failed["phase"], failed["checkout_id"]) == ("payment_capture", checkout_id)
    shown = await buyer.get(checkout_id)
    assert (shown["state"], shown["failure"]["code"], shown["order"]["status"]) == (
        "failed",
        "capture_refused",
        "cancelled",
    )
    assert await held(stage) == 0
    ledger = await stage.ledger()
    assert [(item["captured"], item["authorized"] - item["voided"]) for item in ledger] == [(0, 0)]


async def test_a_second_payment_while_one_is_made_is_refused(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer, gate = Buyer(http, await stage.cart()), Gate()
    checkout_id = await buyer.started()
    stage.faults.then(contract.PAYMENT_AUTHORIZATION, *waits(gate))
    paying = asyncio.create_task(buyer.pay(checkout_id))
    await gate.reached.wait()
    problem(await buyer.pay(checkout_id), 409, "payment_in_progress")
    problem(await buyer.extend(checkout_id, 60), 409, "not_extendable")
    gate.open()
    assert (await paying).json()["state"] == "completed"
    assert len(await stage.ledger()) == 1
    assert await tokens_kept(stage) == []


async def test_the_deadline_is_extended_within_the_maximum(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart())
    shown = (await buyer.start(ttl_seconds=600)).json()
    locked_at, expires_at = (datetime.fromisoformat(shown[name]) for name in ("locked_at", "expires_at"))
    assert expires_at - locked_at == timedelta(seconds=600)
    unmoved = (await buyer.extend(shown["id"], 10)).json()
    assert unmoved["expires_at"] == shown["expires_at"]
    farthest = (await buyer.extend(shown["id"], 3600)).json()
    assert datetime.fromisoformat(farthest["expires_at"]) - locked_at == timedelta(seconds=3600)
    assert farthest["can_extend"] is False
    problem(await buyer.extend(shown["id"], 3601), 422, "validation_failed", "ttl_seconds")
    problem(await buyer.extend(shown["id"], 9), 422, "validation_failed", "ttl_seconds")


async def test_an_expired_checkout_is_gone_and_the_cart_open(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=3))
    checkout_id = await buyer.started()
    handle = stage.client.get_workflow_handle(workflow_id(buyer.cart_id))
    await stage.clock.fast_forward(handle, timedelta(seconds=901))
    await handle.result()
    shown = await buyer.get(checkout_id)
    assert (shown["state"], shown["locked"], shown["can_resume"]) == ("expired", False, False)
    problem(await buyer.pay(checkout_id), 410, "checkout_expired")
    problem(await buyer.extend(checkout_id, 60), 410, "checkout_expired")
    assert (await buyer.cancel(checkout_id)).json()["state"] == "expired"
    assert await held(stage) == 0
    assert await tokens_kept(stage) == []
    assert (await buyer.started()) != checkout_id


async def test_a_cancelled_checkout_gives_all_back_and_says_so_again(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer = Buyer(http, await stage.cart(MUG=3))
    checkout_id = await buyer.started()
    first, second = await asyncio.gather(buyer.cancel(checkout_id), buyer.cancel(checkout_id))
    third = await buyer.call("POST", f"/checkouts/{checkout_id}/cancel", {})
    for answer in (first, second, third):
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    problem(await buyer.pay(checkout_id), 409, "not_payable")
    refused = await buyer.call("POST", f"/checkouts/{checkout_id}/cancel", {"reason": "none"})
    problem(refused, 422, "validation_failed", "reason")
    assert await held(stage) == 0
    assert (await buyer.cart())["locked"] is False


async def test_a_checkout_is_its_carts_owners_and_nobody_elses(http: httpx.AsyncClient, stage: Stage) -> None:
    basket = await stage.shop.cart({"MUG": 1}, customer_id="customer-1")
    buyer = Buyer(http, basket)
    checkout_id = await buyer.started()
    phone = Buyer(http, basket, session_id="ses_phone")
    problem(await phone.start(payment=CARD), 409, "checkout_in_progress")
    assert (await phone.get(checkout_id))["id"] == checkout_id
    stranger = Buyer(http, await stage.cart())
    for method, path, body in (
        ("GET", f"/checkouts/{checkout_id}", None),
        ("GET", f"/checkouts/{checkout_id}/events", None),
        ("POST", f"/checkouts/{checkout_id}/payment", CARD),
        ("POST", f"/checkouts/{checkout_id}/extend", {"ttl_seconds": 60}),
        ("POST", f"/checkouts/{checkout_id}/cancel", None),
    ):
        problem(await stranger.call(method, path, body), 404, "checkout_not_found")
    problem(await stranger.call("POST", "/checkouts", {"cart_id": buyer.cart_id}), 404, "cart_not_found")
    assert (await buyer.get(checkout_id))["state"] == "awaiting_payment"
    assert await tokens_kept(stage) == []


async def test_what_is_free_needs_no_payment(http: httpx.AsyncClient, stage: Stage) -> None:
    await stage.shop.product("GIFT", price=0)
    await stage.shop.execute("UPDATE shipping_options SET amount = 0 WHERE code = 'standard'")
    buyer = Buyer(http, await stage.cart(GIFT=1))
    answer = await buyer.start()
    assert answer.status_code == 201, answer.text
    assert (answer.json()["state"], answer.json()["totals"]["total"]) == ("completed", 0)
    assert answer.json()["order"]["status"] == "paid"
    assert await stage.ledger() == []


async def test_a_live_answer_says_what_is_waited_for(http: httpx.AsyncClient, stage: Stage) -> None:
    buyer, gate = Buyer(http, await stage.cart()), Gate()
    checkout_id = await buyer.started()
    assert (await buyer.get(checkout_id))["waiting_for"] is None
    assert (await buyer.get(checkout_id, live=True))["waiting_for"]["what"] == "payment"
    stage.faults.then(contract.PAYMENT_CAPTURE, *waits(gate))
    paying = asyncio.create_task(buyer.pay(checkout_id))
    await gate.reached.wait()
    live = await buyer.get(checkout_id, live=True)
    assert (live["state"], live["waiting_for"]["what"]) == ("capturing", "payment_capture")
    problem(await buyer.cancel(checkout_id), 409, "too_late")
    gate.open()
    assert (await paying).status_code == 200
    assert (await buyer.get(checkout_id, live=True))["waiting_for"] is None
