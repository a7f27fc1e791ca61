"""``/metrics``: what checkouts leave, labels that do not grow with them, and what is said while parts are away."""

import re

import httpx
import pytest

from checkout.api import metrics
from checkout.api.app import create_app
from checkout.runtime.metrics import cache_read, rate_limit_hit
from checkout.runtime.settings import Settings
from tests.api.buyer import Buyer, card
from tests.api.problem import problem
from tests.support.http import serve
from tests.support.metrics import Scrape, scrape
from tests.support.shop import Basket
from tests.workflows.stage import Stage

#: What an id of ours, an e-mail address or a token of the tests looks like.
_PERSONAL = re.compile(r"(chk|cart|ses|pay|rfd)_[0-9a-z]{15}|ORD-|@|tok_|checkout-cart")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a new one."""
    monkeypatch.setattr(metrics, "FRESH", 0.0)


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    return after(name, **labels) - before(name, **labels)


async def every_ending(http: httpx.AsyncClient, stage: Stage) -> Basket:
    """One checkout for each way to end, and one that waits; gives the cart of the waiting one."""
    waiting = await stage.cart(MUG=3)
    buyers = [Buyer(http, await stage.cart()) for _ in range(5)]
    await buyers[0].started(payment=card("tok_visa"))
    assert (await buyers[1].start(payment=card("tok_captureFails"))).status_code == 422  # a defect of the gateway's
    assert (await buyers[2].start(expected_total=1)).status_code == 422  # the buyer's doing
    assert (await buyers[3].cancel(await buyers[3].started())).status_code == 200
    assert (await buyers[4].pay(await buyers[4].started(), "tok_insufficientFunds")).status_code == 402
    short = Buyer(http, await stage.cart(MUG=999))
    assert (await short.start()).json()["code"] == "insufficient_stock"
    await Buyer(http, waiting).started()
    return waiting


@pytest.mark.usefixtures("worker")
async def test_what_checkouts_leave(http: httpx.AsyncClient, stage: Stage) -> None:
    before = await scrape(http)
    await every_ending(http, stage)
    after = await scrape(http)

    assert grown(before, after, "checkout_started_total") == 7
    ended = {
        outcome: grown(before, after, "checkout_ended_total", outcome=outcome)
        for outcome in ("completed", "failed", "refused", "expired", "cancelled")
    }
    assert ended == {"completed": 1, "failed": 1, "refused": 2, "expired": 0, "cancelled": 1}
    assert grown(before, after, "checkout_declines_total", code="insufficient_funds") == 1
    assert grown(before, after, "checkout_oversell_refusals_total", phase="cart_validation") == 1
    assert grown(before, after, "checkout_phase_failures_total", phase="price_lock", code="total_mismatch") == 1
    assert grown(before, after, "checkout_phase_seconds_count", phase="stock_commit") == 1
    assert grown(before, after, "checkout_phase_seconds_count", phase="cart_validation") == 6
    released = {"compensation": "release_stock", "result": "done"}
    assert grown(before, after, "checkout_compensations_total", **released) == 3
    assert grown(before, after, "checkout_compensations_total", compensation="void_payment", result="done") == 1

    # How things stand.
    assert (after("checkout_active", state="awaiting_payment"), after("checkout_active", state="authorizing")) == (2, 0)
    assert after("checkout_reserved_units") == 6
    assert after("checkout_stuck", reason="overdue") == 0
    assert {part: after("checkout_up", part=part) for part in ("database", "temporal", "worker")} == {
        "database": 1,
        "temporal": 1,
        "worker": 1,
    }
    assert ("checkout_failing_workflows", frozenset()) in after.samples


@pytest.mark.usefixtures("worker")
async def test_labels_do_not_grow_with_checkouts(http: httpx.AsyncClient, stage: Stage) -> None:
    await every_ending(http, stage)
    once = await scrape(http)
    for _ in range(3):
        await every_ending(http, stage)
    often = await scrape(http)
    assert set(often.samples) == set(once.samples)
    assert not [found for found in often.label_values() if _PERSONAL.search(found[2])]
    assert grown(once, often, "checkout_started_total") == 21


async def test_what_is_overdue_or_left_behind_is_counted(http: httpx.AsyncClient, stage: Stage) -> None:
    basket = await stage.cart()
    await stage.shop.execute(
        "INSERT INTO checkouts (id, cart_id, session_id, workflow_id, run_id, locked_at, state, expires_at) "
        "SELECT 'chk_late', id, session_id, 'w', 'r', now(), 'awaiting_payment', now() - interval '1 hour' "
        "FROM carts WHERE id = :cart",
        cart=basket.cart_id,
    )
    await stage.shop.execute(
        "INSERT INTO gateway_events (gateway, event_id, type, created_at, received_at, done_at) VALUES "
        "('simulated', 'e1', 't', now(), now() - interval '2 minutes', NULL), "  # left behind
        "('simulated', 'e2', 't', now(), now(), NULL), "  # on its way
        "('simulated', 'e3', 't', now(), now() - interval '2 minutes', now())"
    )
    found = await scrape(http)
    assert found("checkout_stuck", reason="overdue") == 1
    assert found("checkout_webhook_backlog", direction="incoming") == 1


async def test_what_limits_and_caches_count(http: httpx.AsyncClient) -> None:
    before = await scrape(http)
    rate_limit_hit("starts")
    cache_read("status", hit=True)
    cache_read("status", hit=False)
    after = await scrape(http)
    assert grown(before, after, "checkout_rate_limit_hits_total", limit="starts") == 1
    assert grown(before, after, "checkout_cache_reads_total", cache="status", result="hit") == 1
    assert grown(before, after, "checkout_cache_reads_total", cache="status", result="miss") == 1


async def test_it_is_looked_up_once_for_all_who_ask_meanwhile(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "FRESH", 600.0)
    assert (await scrape(http))("checkout_reserved_units") == 0
    await stage.shop.execute("DROP TABLE reservations")
    assert (await scrape(http))("checkout_reserved_units") == 0


async def test_what_is_away_is_said(api_settings: Settings) -> None:
    nowhere = api_settings.model_copy(
        update={"database_url": "postgresql:///none?host=/nonexistent", "temporal_address": "127.0.0.1:9"}
    )
    with serve(create_app(nowhere)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            found = await scrape(http)
    assert {part: found("checkout_up", part=part) for part in ("database", "temporal", "worker")} == {
        "database": 0,
        "temporal": 0,
        "worker": 0,
    }
    assert "checkout_active" not in found.names()
    assert "process_cpu_seconds_total" in found.names()


async def test_a_token_where_one_is_set(api_settings: Settings) -> None:
    guarded = Settings.model_validate(api_settings.model_dump() | {"metrics_token": "metrics-token-of-the-tests"})
    with serve(create_app(guarded)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            for wrong in ({}, {"Authorization": "Bearer another"}):
                assert problem(await http.get("/metrics", headers=wrong), 401, "metrics_token_invalid")
            await scrape(http, Authorization="Bearer metrics-token-of-the-tests")
