"""Refunds after the sale over HTTP: how much goes back, once, and what stock, order and gateway say afterwards."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from checkout.api import engine as api_engine
from checkout.domain import contract
from checkout.domain.ids import refund_id, refund_workflow_id
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN, VIEWER_TOKEN, Faults
from tests.api.problem import problem
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@dataclass
class Sale:
    """An order, and what an operator does about it."""

    http: httpx.AsyncClient
    stage: Stage
    buyer: Buyer
    checkout_id: str
    reference: str
    total: int

    async def refund(self, key: str | None = None, /, **wanted: Any) -> httpx.Response:
        headers = OPERATOR | ({} if key is None else {"Idempotency-Key": key})
        body = {"reason": "the buyer called", **wanted}
        return await self.http.post(f"/admin/orders/{self.reference}/refund", json=body, headers=headers)

    async def refunded(self, **wanted: Any) -> dict[str, Any]:
        answer = await self.refund(**wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def order(self) -> dict[str, Any]:
        answer = await self.http.get(f"/admin/orders/{self.reference}", headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def kept(self) -> int:
        items = await self.stage.gateway.ledger(self.checkout_id)
        return sum(item["captured"] - item["refunded"] for item in items)

    async def stock(self, sku: str) -> dict[str, int]:
        rows = await self.stage.shop.rows(
            "SELECT w.code, s.on_hand FROM stock s JOIN warehouses w ON w.id = s.warehouse_id "
            "WHERE s.variant_id = :v AND s.reserved = 0",
            v=self.stage.shop.variants[sku],
        )
        return {str(code): int(on_hand) for code, on_hand in rows}

    async def ended_well(self) -> None:
        await check_invariants(self.stage.engine, await self.stage.ledger())


async def sell(http: httpx.AsyncClient, stage: Stage, **lines: int) -> Sale:
    buyer = Buyer(http, await stage.cart(**lines))
    answer = await buyer.start(payment=card("tok_visa"))
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert shown["state"] == "completed"
    return Sale(http, stage, buyer, shown["id"], shown["order"]["reference"], shown["totals"]["total"])


@pytest.fixture
async def sale(http: httpx.AsyncClient, stage: Stage, worker: None) -> Sale:
    """Two mugs and a lamp, paid by card."""
    return await sell(http, stage)


async def test_in_parts_until_all_is_back(sale: Sale) -> None:
    version = (await sale.buyer.get(sale.checkout_id))["version"]
    first = await sale.refunded(amount=1000)
    assert (first["status"], first["payment"]["status"]) == ("partially_refunded", "captured")
    assert (first["payment"]["refunded"], first["payment"]["refund_pending"]) == (1000, 0)
    [row] = first["refunds"]
    assert (row["status"], row["amount"], row["reason"], row["requested_by"]) == (
        "refunded",
        1000,
        "the buyer called",
        "admin",
    )
    assert (await sale.buyer.get(sale.checkout_id))["version"] == version + 1
    assert (await sale.buyer.get(sale.checkout_id))["order"]["status"] == "partially_refunded"
    again = await sale.refunded(amount=1000)
    assert again["payment"]["refunded"] == 2000
    refused = problem(await sale.refund(amount=sale.total - 1999), 409, "refund_exceeds_capture")
    assert refused["context"] == {
        "captured": sale.total,
        "given_back": 2000,
        "refundable": sale.total - 2000,
        "requested": sale.total - 1999,
        "currency": "EUR",
    }
    assert await sale.kept() == sale.total - 2000
    await sale.ended_well()
    last = await sale.refunded()
    assert (last["status"], last["payment"]["status"]) == ("refunded", "refunded")
    assert [one["status"] for one in last["refunds"]] == ["refunded", "refunded", "refused", "refunded"]
    assert await sale.kept() == 0
    problem(await sale.refund(), 409, "refund_exceeds_capture")
    seen = (await sale.buyer.call("GET", f"/orders/{sale.reference}")).json()
    assert (seen["status"], seen["payment"]["refunded"]) == ("refunded", sale.total)
    assert "refunds" not in seen
    actions = (await sale.http.get("/admin/actions", params={"target": sale.reference}, headers=OPERATOR)).json()
    assert [one["outcome"] for one in actions["items"]][:2] == ["refund_exceeds_capture", "done"]
    await sale.ended_well()


async def test_lines_go_back_at_their_share_and_into_the_warehouses_they_left(
    http: httpx.AsyncClient, stage: Stage, worker: None
) -> None:
    """60 in one warehouse, 60 in another, 70 sold; uneven cents; each unit comes back once."""
    await stage.shop.product("ODD", price=333, stock={"FRA": 60, "LYS": 60})
    sale = await sell(http, stage, ODD=70, MUG=3)
    assert await sale.stock("ODD") == {"FRA": 0, "LYS": 50}
    lines = {line["sku"]: line["total"] for line in (await sale.order())["lines"]}
    assert lines["ODD"] % 70
    back = 0
    for units in (1, 61, 7, 1):
        answer = await sale.refunded(lines=[{"sku": "ODD", "quantity": units}], restock=units != 7)
        [line] = answer["refunds"][-1]["lines"]
        assert answer["refunds"][-1]["restocked"] == (0 if units == 7 else units)
        back += line["amount"]
    assert back == lines["ODD"]
    assert sum((await sale.stock("ODD")).values()) == 50 + 63
    assert (await sale.stock("ODD"))["FRA"] == 60
    refused = problem(
        await sale.refund(lines=[{"sku": "ODD", "quantity": 1}, {"sku": "NONE", "quantity": 2}]),
        409,
        "refund_exceeds_order",
    )
    assert refused["context"]["lines"] == [
        {"sku": "ODD", "requested": 1, "ordered": 70, "refundable": 0},
        {"sku": "NONE", "requested": 2, "ordered": 0, "refundable": 0},
    ]
    await sale.ended_well()
    rest = await sale.refunded(restock=True)
    assert rest["refunds"][-1]["amount"] == sale.total - back
    assert rest["refunds"][-1]["lines"] == [{"sku": "MUG", "quantity": 3, "amount": lines["MUG"]}]
    assert await sale.stock("MUG") == {"FRA": 100}
    assert (await sale.kept(), rest["status"]) == (0, "refunded")
    await sale.ended_well()


async def test_20_at_once_of_a_tenth_each_give_back_exactly_the_total(
    http: httpx.AsyncClient, stage: Stage, worker: None
) -> None:
    await stage.shop.product("TENTH", price=510)  # with shipping 10.00, with tax 11.90
    sale = await sell(http, stage, TENTH=1)
    assert sale.total == 1190
    answers = await asyncio.gather(*(sale.refund(amount=119) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 10
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "refund_exceeds_capture")
    order = await sale.order()
    assert (order["status"], order["payment"]["refunded"], await sale.kept()) == ("refunded", 1190, 0)
    await sale.ended_well()


async def test_the_same_key_is_one_refund_and_another_body_is_refused(sale: Sale, stage: Stage) -> None:
    answers = await asyncio.gather(*(sale.refund("key 1", amount=700) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "idempotency_key_in_use")
    assert (await sale.refund("key 1", amount=700)).status_code == 200
    await stage.shop.execute("DELETE FROM idempotency_keys")  # as after a day: the refund itself knows its key
    assert (await sale.refund("key 1", amount=700)).status_code == 200
    assert (await sale.order())["payment"]["refunded"] == 700
    for _ in range(2):
        problem(await sale.refund("key 1", amount=701), 422, "idempotency_key_reused", "Idempotency-Key")
        await stage.shop.execute("DELETE FROM idempotency_keys")
    asked = stage.faults.count(contract.REFUND_ORDER)
    first = problem(await sale.refund("key 2", amount=10**9), 409, "refund_exceeds_capture")
    await stage.shop.execute("DELETE FROM idempotency_keys")
    assert problem(await sale.refund("key 2", amount=10**9), 409, "refund_exceeds_capture") == first
    assert stage.faults.count(contract.REFUND_ORDER) == asked  # refused is refused: the gateway is not asked
    assert (await sale.refund("key 3", amount=700)).status_code == 200
    assert await sale.kept() == sale.total - 1400
    await sale.ended_well()


@pytest.mark.parametrize("fault", ["error", "lost"])
async def test_a_gateway_that_fails_or_loses_its_answer_gives_back_once(sale: Sale, faults: Faults, fault: str) -> None:
    await faults("refund", fault, count=2)
    answer = await sale.refunded(lines=[{"sku": "MUG", "quantity": 1}], restock=True)
    [refund] = answer["refunds"]
    assert (refund["restocked"], await sale.kept()) == (1, sale.total - refund["amount"])
    await sale.ended_well()


async def test_what_the_gateway_refuses_keeps_nothing_reserved_and_restocks_nothing(sale: Sale, stage: Stage) -> None:
    """As where somebody refunded it on the gateway's own pages."""
    payment = await stage.shop.execute("SELECT gateway_payment_id FROM payment_attempts")
    async with stage.gateway.adapter() as gateway:
        await gateway.refund(payment, amount=sale.total - 100, key="by hand")
    refused = problem(await sale.refund("k", restock=True), 409, "refund_refused")
    assert refused["context"] == {"gateway_code": "amount_too_large"}
    order = await sale.order()
    [refund] = order["refunds"]
    assert (refund["status"], refund["failure_code"], refund["gateway_code"]) == (
        "refused",
        "refund_refused",
        "amount_too_large",
    )
    assert refund["gateway_detail"]
    assert (order["status"], order["payment"]["refund_pending"]) == ("paid", 0)
    assert await sale.stock("MUG") == {"FRA": 98}
    assert problem(await sale.refund("k", restock=True), 409, "refund_refused")["context"] == refused["context"]
    assert (await sale.refunded(amount=100))["payment"]["refunded"] == 100
    assert await sale.kept() == 0


async def test_without_a_worker_it_is_pending_and_goes_on_by_itself(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.worker():
        sale = await sell(http, stage)
    monkeypatch.setattr(api_engine, "UPDATE_WAIT", 0.2)
    waiting = await sale.refund("k", amount=500)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, "2")
    assert [one["status"] for one in waiting.json()["refunds"]] == ["requested"]
    assert (await sale.refund("k", amount=500)).status_code == 202
    async with stage.worker():

        async def done() -> bool:
            return bool((await sale.order())["payment"]["refunded"] == 500)

        await eventually(done, "it is refunded")
        monkeypatch.setattr(api_engine, "UPDATE_WAIT", 60)
        assert (await sale.refund("k", amount=500)).status_code == 200
    assert await sale.kept() == sale.total - 500
    await sale.ended_well()


async def test_one_that_was_terminated_goes_on_when_it_is_asked_for_again(
    sale: Sale, stage: Stage, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    await faults("refund", "error")
    monkeypatch.setattr(api_engine, "UPDATE_WAIT", 0.2)
    assert (await sale.refund("k", amount=500)).status_code == 202

    async def pending() -> bool:
        return bool((await sale.order())["payment"]["refund_pending"] == 500)

    await eventually(pending, "the amount is kept free")
    monkeypatch.setattr(api_engine, "UPDATE_WAIT", 60)
    others = problem(await sale.refund(amount=sale.total), 409, "refund_exceeds_capture")
    assert others["context"]["given_back"] == 500
    handle = stage.client.get_workflow_handle(refund_workflow_id(sale.reference, refund_id(sale.reference, "k")))
    await handle.cancel()  # which is only noted
    await handle.terminate("by mistake")
    await faults.clear()
    assert (await sale.refund("k", amount=500)).status_code == 200
    assert await sale.kept() == sale.total - 500
    await sale.ended_well()


async def test_only_operators_refund(sale: Sale) -> None:
    path, body = f"/admin/orders/{sale.reference}/refund", {"reason": "mine"}
    viewer = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    problem(await sale.http.post(path, json=body), 401, "token_missing")
    problem(await sale.buyer.call("POST", path, body), 403, "admin_required")
    problem(await sale.http.post(path, json=body, headers=viewer), 403, "operator_required")
    shown = await sale.http.get(f"/admin/orders/{sale.reference}", headers=viewer)
    assert (shown.status_code, shown.json()["refunds"]) == (200, [])
    problem(await sale.buyer.call("GET", f"/admin/orders/{sale.reference}"), 403, "admin_required")
    assert await sale.kept() == sale.total


async def test_what_is_wrong_is_named_and_nothing_goes_back(sale: Sale) -> None:
    line: dict[str, Any] = {"sku": "MUG", "quantity": 1}
    not_lines: list[Any] = [[], {}, "MUG", [line, line], [line] * 501]
    wrong: list[tuple[dict[str, Any], str]] = [
        *(({"amount": amount}, "amount") for amount in (0, -1, 10**16, "5", 5.0, True)),
        *(({"lines": lines}, "lines") for lines in not_lines),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1000}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "MUG"}]}, "lines.0.quantity"),
        ({"amount": 1, "restock": True}, "restock"),
        ({"restock": None}, "restock"),
        *(({"reason": reason}, "reason") for reason in ("", " ", "x" * 501, None, "a\nb")),
        ({"shipping": True}, "shipping"),
    ]
    for body, field in wrong:
        problem(await sale.refund(**body), 422, "validation_failed", field)
    problem(await sale.refund("x" * 256, amount=1), 422, "validation_failed", "Idempotency-Key")
    differs = problem(await sale.refund(amount=1, lines=[line]), 422, "refund_amount_differs")
    assert differs["context"]["amount"] == 1
    unknown = await sale.http.post("/admin/orders/ORD-NONE/refund", json={"reason": "x"}, headers=OPERATOR)
    problem(unknown, 404, "order_not_found")
    problem(await sale.http.get("/admin/orders/ORD-NONE", headers=OPERATOR), 404, "order_not_found")
    assert await sale.kept() == sale.total
    await sale.ended_well()


async def test_what_was_not_paid_for_is_not_refunded(http: httpx.AsyncClient, stage: Stage, worker: None) -> None:
    transfer = Buyer(http, await stage.cart())
    waiting = (await transfer.start(payment={"method": "bank_transfer"})).json()
    await stage.shop.product("GIFT", price={"CHF": 0})
    await stage.shop.execute(
        "INSERT INTO shipping_options (currency, code, name, amount) VALUES ('CHF', 'standard', 'Standard', 0)"
    )
    gift = (await Buyer(http, await stage.shop.cart({"GIFT": 1}, currency="CHF")).start()).json()
    for shown, code in ((waiting, "order_not_paid"), (gift, "nothing_to_refund")):
        path = f"/admin/orders/{shown['order']['reference']}/refund"
        problem(await http.post(path, json={"reason": "x"}, headers=OPERATOR), 409, code)
    run = stage.client.get_workflow_handle(f"checkout-{waiting['cart_id']}")
    await run.cancel()

    async def cancelled() -> bool:
        return bool((await transfer.get(waiting["id"]))["state"] == "cancelled")

    await eventually(cancelled, "the transfer is given up")
    path = f"/admin/orders/{waiting['order']['reference']}/refund"
    problem(await http.post(path, json={"reason": "x"}, headers=OPERATOR), 409, "order_cancelled")


async def test_a_bank_transfer_goes_back_like_a_card_payment(
    http: httpx.AsyncClient, stage: Stage, worker: None
) -> None:
    buyer = Buyer(http, await stage.cart())
    waiting = (await buyer.start(payment={"method": "bank_transfer"})).json()
    async with httpx.AsyncClient(timeout=60) as bank:
        await bank.post(waiting["next_action"]["url"], json={"outcome": "funds_received"})
    await buyer.call("POST", f"/checkouts/{waiting['id']}/payment/confirm")

    async def completed() -> bool:
        return bool((await buyer.get(waiting["id"]))["state"] == "completed")

    await eventually(completed, "the transfer completes it")
    sale = Sale(http, stage, buyer, waiting["id"], waiting["order"]["reference"], waiting["totals"]["total"])
    assert (await sale.refunded(amount=1000))["status"] == "partially_refunded"
    assert (await sale.refunded())["status"] == "refunded"
    assert await sale.kept() == 0
    await sale.ended_well()
