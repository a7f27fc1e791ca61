"""The log of webhooks forgets what is old, and nothing that may still be sent."""

from datetime import timedelta

from checkout.domain.events import CheckoutCompleted
from checkout.runtime.database import Sessions
from checkout.store import listener_troubles
from checkout.store.webhooks import count_behind, forget_old
from tests.support.shop import Shop

#: Deliveries by name: status, and how many days ago each ended and began to fail.
DELIVERIES = {
    "ended_long_ago": ("delivered", 31, None),
    "given_up_long_ago": ("failed", 31, 34),
    "orphaned": ("pending", None, 31),  # its workflow was terminated
    "ended_lately": ("delivered", 29, None),
    "given_up_lately": ("failed", 29, 32),
    "still_tried": ("pending", None, 3),
    "never_tried": ("pending", None, None),
}
PLACE = "INSERT INTO webhook_endpoints (id, url, secret) VALUES ('whe_1', 'https://shop.example', 's') RETURNING 1"
KEEP = """
INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event, checkout_id, body, status, ended_at, failing_since)
VALUES (:id, 'whe_1', :id, 'e', 'chk_1', '{}', :status, now() - make_interval(days => CAST(:ended AS integer)),
    now() - make_interval(days => CAST(:failing AS integer)))
RETURNING 1
"""


async def keep(shop: Shop) -> None:
    await shop.execute(PLACE)
    for name, (status, ended, failing) in DELIVERIES.items():
        await shop.execute(KEEP, id=name, status=status, ended=ended, failing=failing)
        await shop.execute("INSERT INTO webhook_attempts (delivery_id, number) VALUES (:id, 1) RETURNING 1", id=name)


async def test_what_has_ended_long_ago_is_forgotten_with_its_attempts(shop: Shop, sessions: Sessions) -> None:
    await keep(shop)
    async with sessions() as session, session.begin():
        await forget_old(session, timedelta(days=30))
    left = {"ended_lately", "given_up_lately", "still_tried", "never_tried"}
    assert {name for (name,) in await shop.rows("SELECT id FROM webhook_deliveries")} == left
    assert {name for (name,) in await shop.rows("SELECT delivery_id FROM webhook_attempts")} == left


async def test_what_nobody_tries_any_more_is_no_backlog(shop: Shop, sessions: Sessions) -> None:
    await keep(shop)
    async with sessions() as session:
        assert await count_behind(session, 900) == (0, 1, 0)


async def test_listeners_that_will_never_hear_are_forgotten(shop: Shop, sessions: Sessions) -> None:
    event = CheckoutCompleted(
        checkout_id="chk_1",
        cart_id="cart_1",
        at="2026-01-31T12:00:00Z",
        order_reference="O",
        currency="EUR",
        total=1,
    )
    for name, days in ("old", 8), ("new", 6):
        async with sessions() as session, session.begin():
            await listener_troubles.note(session, name, listener="l", event=event, attempts=1, error="e")
        await shop.execute(
            "UPDATE listener_troubles SET failing_since = now() - make_interval(days => CAST(:days AS integer)) "
            "WHERE delivery_id = :id RETURNING 1",
            id=name,
            days=days,
        )
    async with sessions() as session, session.begin():
        await listener_troubles.note(session, "now", listener="l", event=event, attempts=1, error="e")
    assert {name for (name,) in await shop.rows("SELECT delivery_id FROM listener_troubles")} == {"new", "now"}
