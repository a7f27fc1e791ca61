"""What the audit reads: open checkouts page by page, and locks that nobody will remove; all of it by an index."""

from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.ids import new_checkout_id
from checkout.runtime.database import Sessions
from checkout.store import gone
from tests.activities.checking_out import CheckingOut
from tests.store.many import fill
from tests.store.test_listing import scans
from tests.support.shop import Shop
from tests.support.statements import sent

OPEN = ["awaiting_payment", "compensating", "capturing"]
NO_GRACE = timedelta(0)


async def test_every_open_checkout_is_on_one_page(sessions: Sessions) -> None:
    """The oldest first, none twice, none left out, whatever the size of the page."""
    await fill(sessions, 60, [*OPEN, "completed", "failed"], step=10)
    async with sessions() as session:
        whole = await gone.open_checkouts(session, grace=NO_GRACE, after=None, limit=1000)
        assert len(whole) == 36
        assert [one.created_at for one in whole] == sorted(one.created_at for one in whole)
        for size in (1, 7, 36):
            found: list[gone.OpenCheckout] = []
            while page := await gone.open_checkouts(
                session, grace=NO_GRACE, after=(found[-1].created_at, found[-1].id) if found else None, limit=size
            ):
                found += page
            assert found == list(whole)
        old = await gone.open_checkouts(session, grace=timedelta(hours=5), after=None, limit=1000)
    assert 0 < len(old) < 36
    assert max(one.created_at for one in old) < datetime.now(UTC) - timedelta(hours=5)
    # Their deadline is 15 minutes after they began.
    assert [one.overdue for one in whole] == [
        one.created_at < datetime.now(UTC) - timedelta(minutes=16) for one in whole
    ]


async def test_what_is_open_and_what_has_ended(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", 2500)
    running, undone = [CheckingOut(shop, await shop.cart({"MUG": 1})) for _ in range(2)]
    for one in (running, undone):
        await one.until_priced()
    await undone.undo()
    ids = [running.id, undone.id, "chk_none_none"]
    async with sessions() as session:
        assert await gone.still_open(session, ids) == {running.id}
        assert await gone.ended_before(session, ids, timedelta(0)) == {undone.id}
        assert await gone.ended_before(session, ids, timedelta(hours=1)) == set()


async def test_locks_that_nobody_removes(sessions: Sessions, shop: Shop) -> None:
    """Of a checkout that has ended, and of one without a row; not of one that is open."""
    await shop.product("MUG", 2500)
    running, undone, lost = [CheckingOut(shop, await shop.cart({"MUG": 1})) for _ in range(3)]
    for one in (running, undone):
        await one.until_priced()
    await undone.undo()
    lost.id = new_checkout_id(lost.basket.cart_id)
    for one in (undone, lost):
        await shop.execute("UPDATE carts SET locked_by = :id WHERE id = :cart", id=one.id, cart=one.basket.cart_id)
    async with sessions() as session, session.begin():
        strays = {one.checkout_id for one in await gone.stray_locks(session, 10)}
        assert strays == {undone.id, lost.id}
        assert len(await gone.stray_locks(session, 1)) == 1
        # Only one that has ended is unlocked by itself; the others take the compensations.
        for one, unlocked in ((running, 0), (lost, 0), (undone, 1), (undone, 0)):
            assert await gone.unlock_stray(session, one.id, one.basket.cart_id) == unlocked
        assert [one.checkout_id for one in await gone.stray_locks(session, 10)] == [lost.id]
        standing = await gone.standing_of(session, lost.id, lost.basket.cart_id)
        assert standing is not None
        assert (standing.state, standing.locks, standing.session_id) == (None, True, lost.basket.session_id)
        assert await gone.standing_of(session, "chk_none_none", lost.basket.cart_id) is None


async def test_none_of_it_reads_a_whole_table(sessions: Sessions, engine: AsyncEngine, database_url: str) -> None:
    """Of a shop with many checkouts, of which few are open."""
    await fill(sessions, 20_000, ["completed", "expired"], step=1)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(
            "UPDATE checkouts SET state = 'capturing', completed_at = NULL, failed_at = NULL WHERE id < 'k1002'"
        )
        admin.execute("UPDATE carts SET locked_by = 'k' || substr(id, 2) WHERE id < 'c1002'")
        admin.execute("VACUUM ANALYZE")
    with sent() as statements:
        async with sessions() as session, session.begin():
            page = await gone.open_checkouts(session, grace=NO_GRACE, after=None, limit=10)
            await gone.open_checkouts(session, grace=NO_GRACE, after=(page[-1].created_at, page[-1].id), limit=10)
            ids = [one.id for one in page]
            await gone.still_open(session, ids)
            await gone.ended_before(session, ids, timedelta(0))
            await gone.stray_locks(session, 10)
            await gone.unlock_stray(session, page[0].id, page[0].cart_id)
    async with engine.connect() as connection:
        for statement, parameters in statements:
            explained = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            [plan] = explained.scalar_one()
            assert not scans(plan["Plan"]), (statement, plan)
