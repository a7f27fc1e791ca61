"""/admin/webhooks over HTTP: endpoints with a secret that is shown once, URLs that are refused, the log, a resend."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from checkout.api.app import create_app
from checkout.domain.events import CheckoutCompleted
from checkout.listeners import Listeners
from checkout.runtime.settings import Settings
from checkout.store import webhook_endpoints
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem
from tests.support.http import serve
from tests.support.receiver import Receiver, receiver
from tests.support.waiting import eventually
from tests.workflows.stage import VISA, Stage

VIEWER = "viewer-token-of-the-tests"
PUBLIC_URL = "https://93.184.216.34/hooks"


@pytest.fixture
def webhook_settings(api_settings: Settings) -> Settings:
    """As in development: http is allowed, private addresses are the test's to allow."""
    admins = SecretStr(f"eve:viewer:{VIEWER}")
    return api_settings.model_copy(update={"webhook_allow_http": True, "admin_tokens": admins})


@pytest.fixture
async def admin(webhook_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    with serve(create_app(webhook_settings)) as url:
        async with client_of(url, ADMIN_TOKEN) as client:
            yield client


@pytest.fixture
async def anywhere(webhook_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The same where private addresses are allowed."""
    settings = webhook_settings.model_copy(update={"webhook_allow_private": True})
    with serve(create_app(settings)) as url:
        async with client_of(url, ADMIN_TOKEN) as client:
            yield client


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def client_of(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=60, headers={"Authorization": f"Bearer {token}"})


async def add(admin: httpx.AsyncClient, url: str = PUBLIC_URL, **more: Any) -> dict[str, Any]:
    answer = await admin.post("/admin/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_so_many_and_no_more(admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those that are added at once."""
    monkeypatch.setattr(webhook_endpoints, "MOST", 2)
    made = await asyncio.gather(*(admin.post("/admin/webhooks", json={"url": PUBLIC_URL}) for _ in range(4)))
    assert sorted(answer.status_code for answer in made) == [201, 201, 409, 409]
    refused = problem(await admin.post("/admin/webhooks", json={"url": PUBLIC_URL}), 409, "too_many_webhooks")
    assert refused["context"] == {"max_endpoints": 2}
    assert "remove one" in refused["detail"]
    first = (await admin.get("/admin/webhooks")).json()["items"][0]["id"]
    assert (await admin.delete(f"/admin/webhooks/{first}")).status_code == 200
    await add(admin)


async def test_the_secret_is_shown_once(admin: httpx.AsyncClient) -> None:
    made = await add(admin, description="The warehouse", events=["order.placed", "order.placed"])
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["enabled"], made["failing_since"]) == (["order.placed"], True, None)
    listed = (await admin.get("/admin/webhooks")).json()["items"]
    assert listed == [{name: value for name, value in made.items() if name != "secret"}]
    changed = await admin.patch(f"/admin/webhooks/{made['id']}", json={"enabled": False, "events": []})
    assert "secret" not in changed.json()
    assert (changed.json()["enabled"], changed.json()["events"]) == (False, [])
    assert changed.json()["description"] == "The warehouse"
    rotated = (await admin.post(f"/admin/webhooks/{made['id']}/rotate")).json()
    assert rotated["secret"] not in {None, made["secret"]}
    assert rotated["previous_secret_until"] is not None
    removed = await admin.delete(f"/admin/webhooks/{made['id']}")
    assert (removed.status_code, removed.json()) == (200, {"items": []})
    assert (await admin.get("/admin/webhooks")).json() == {"items": []}
    for call in (
        admin.delete(f"/admin/webhooks/{made['id']}"),
        admin.patch(f"/admin/webhooks/{made['id']}", json={}),
        admin.post(f"/admin/webhooks/{made['id']}/rotate"),
    ):
        problem(await call, 404, "webhook_not_found")


async def test_what_admins_did_is_kept(admin: httpx.AsyncClient) -> None:
    made = await add(admin)
    await admin.post(f"/admin/webhooks/{made['id']}/rotate")
    await admin.delete(f"/admin/webhooks/{made['id']}")
    log = (await admin.get("/admin/actions")).json()["items"]
    assert [(one["action"], one["outcome"]) for one in log] == [
        ("remove_webhook", "done"),
        ("rotate_webhook_secret", "done"),
        ("add_webhook", "done"),
    ]
    assert made["secret"] not in str(log)


async def test_a_viewer_looks_and_does_nothing(admin: httpx.AsyncClient) -> None:
    made = await add(admin)
    async with client_of(str(admin.base_url), VIEWER) as viewer:
        assert (await viewer.get("/admin/webhooks")).status_code == 200
        assert (await viewer.get("/admin/webhooks/deliveries")).status_code == 200
        for call in (
            viewer.post("/admin/webhooks", json={"url": PUBLIC_URL}),
            viewer.patch(f"/admin/webhooks/{made['id']}", json={"enabled": False}),
            viewer.post(f"/admin/webhooks/{made['id']}/rotate"),
            viewer.delete(f"/admin/webhooks/{made['id']}"),
            viewer.post("/admin/webhooks/deliveries/whd_1/resend"),
        ):
            problem(await call, 403, "operator_required")
    assert len((await admin.get("/admin/webhooks")).json()["items"]) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/",
        "http://localhost/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data/",
        "http://ada:secret@93.184.216.34/",
        "ftp://93.184.216.34/",
        "hooks",
    ],
)
async def test_urls_that_are_refused(admin: httpx.AsyncClient, url: str) -> None:
    made = await add(admin)
    problem(await admin.post("/admin/webhooks", json={"url": url}), 422, "validation_failed", "url")
    changed = await admin.patch(f"/admin/webhooks/{made['id']}", json={"url": url})
    problem(changed, 422, "validation_failed", "url")
    assert [one["url"] for one in (await admin.get("/admin/webhooks")).json()["items"]] == [PUBLIC_URL]


async def test_without_tls_only_where_it_is_allowed(api_settings: Settings) -> None:
    with serve(create_app(api_settings)) as url:
        async with client_of(url, ADMIN_TOKEN) as admin:
            answer = await admin.post("/admin/webhooks", json={"url": "http://93.184.216.34/hooks"})
            assert "https://" in problem(answer, 422, "validation_failed", "url")["errors"][0]["message"]


async def test_an_event_that_there_is_not(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/admin/webhooks", json={"url": PUBLIC_URL, "events": ["checkout.done"]})
    found = problem(answer, 422, "validation_failed", "events.0")
    assert "checkout.completed" in found["errors"][0]["message"]


async def test_delivered_listed_and_sent_again(stage: Stage, anywhere: httpx.AsyncClient, there: Receiver) -> None:
    made = await add(anywhere, there.url, events=[CheckoutCompleted.NAME])
    there.secret = made["secret"]
    stage.listeners = Listeners(webhooks=True)
    there.always = 500
    async with stage.worker():
        run, _ = await stage.start(token=VISA)
        await run.result()

        async def logged() -> dict[str, Any]:
            items = (await anywhere.get("/admin/webhooks/deliveries?status=pending")).json()["items"]
            return dict(items[0]) if items and items[0]["attempts"] else {}

        failing = await eventually(logged, "an attempt is in the log")
        assert (failing["endpoint_id"], failing["event"]) == (made["id"], CheckoutCompleted.NAME)
        assert failing["next_try_at"] is not None
        full = (await anywhere.get(f"/admin/webhooks/deliveries/{failing['id']}")).json()
        assert (full["log"][0]["status"], full["log"][0]["error"]) == (500, "the receiver answered 500")
        assert full["log"][0]["response"] == "personal words of the receiver"
        there.always = 200
        again = await anywhere.post(f"/admin/webhooks/deliveries/{failing['id']}/resend")
        assert again.status_code == 200, again.text

        async def delivered() -> bool:
            answer = await anywhere.get(f"/admin/webhooks/deliveries/{failing['id']}")
            return bool(answer.json()["status"] == "delivered")

        await eventually(delivered, "it is delivered without waiting for the next try")
        count = len(there.received)
        await anywhere.post(f"/admin/webhooks/deliveries/{failing['id']}/resend")  # taken, and wanted once more

        async def once_more() -> bool:
            return len(there.received) > count

        await eventually(once_more, "it is sent again")
    assert len({identity for identity, _ in there.received}) == 1
    for filters in (f"endpoint_id={made['id']}", "status=failed", "limit=1"):
        assert (await anywhere.get(f"/admin/webhooks/deliveries?{filters}")).status_code == 200
    problem(await anywhere.get("/admin/webhooks/deliveries?status=lost"), 422, "validation_failed", "status")
    problem(await anywhere.get("/admin/webhooks/deliveries?cursor=x"), 422, "validation_failed", "cursor")
    problem(await anywhere.get("/admin/webhooks/deliveries/whd_none"), 404, "webhook_delivery_not_found")
    problem(await anywhere.post("/admin/webhooks/deliveries/whd_none/resend"), 404, "webhook_delivery_not_found")


async def test_pages_of_the_log(stage: Stage, admin: httpx.AsyncClient) -> None:
    made = await add(admin)
    await stage.shop.execute(
        "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event, checkout_id, body) "
        "SELECT 'whd_' || n, :endpoint, 'evt_' || n, 'order.placed', 'chk_1_1', '{}' FROM generate_series(1, 5) n "
        "RETURNING 1",
        endpoint=made["id"],
    )
    seen: list[str] = []
    cursor = ""
    while True:
        found = (await admin.get(f"/admin/webhooks/deliveries?limit=2{cursor}")).json()
        seen += [one["id"] for one in found["items"]]
        if found["next_cursor"] is None:
            break
        cursor = f"&cursor={found['next_cursor']}"
    assert seen == [f"whd_{n}" for n in (5, 4, 3, 2, 1)]


async def test_health_says_what_is_behind(stage: Stage, worker: None, admin: httpx.AsyncClient) -> None:
    made = await add(admin)

    async def reasons() -> dict[str, tuple[str, int]]:
        answer = await admin.get("/health/checkout")
        assert answer.status_code == 200, answer.text
        return {one["code"]: (one["level"], one["count"]) for one in answer.json()["reasons"]}

    await stage.shop.execute(
        "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event, checkout_id, body, failing_since, status) "
        "SELECT 'whd_' || n, :endpoint, 'evt_' || n, 'order.placed', 'chk_1_1', '{}', "
        "now() - n * interval '8 minutes', CASE n WHEN 4 THEN 'failed' ELSE 'pending' END "
        "FROM generate_series(1, 4) n RETURNING 1",
        endpoint=made["id"],
    )
    await stage.shop.execute(
        "INSERT INTO listener_troubles (delivery_id, listener, event, checkout_id, attempts, error, failing_since) "
        "SELECT n::text, 'l', 'order.placed', 'chk_1_1', 1, '', now() - interval '10 minutes' * n "
        "FROM unnest(ARRAY[1, 2, 3, 10000]) n RETURNING 1"
    )
    # Longer than 15 minutes, and still tried.
    assert await reasons() == {"listeners": ("degraded", 2), "webhooks": ("degraded", 2)}
    await stage.shop.execute("UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'gone' RETURNING 1")
    assert (await reasons())["webhooks_disabled"] == ("degraded", 1)
    await admin.patch(f"/admin/webhooks/{made['id']}", json={"enabled": True})
    assert "webhooks_disabled" not in await reasons()
