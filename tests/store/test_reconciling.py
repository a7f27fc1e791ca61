"""Payment tokens that were left over: the one that can still be used stays, every other is erased."""

import pytest

from checkout.domain.ids import new_checkout_id
from checkout.runtime.database import Sessions, in_transaction
from checkout.store.payments import add_attempt
from checkout.store.reconciling import LONGEST_LIFE, erase_stale_tokens
from tests.activities.checking_out import CheckingOut
from tests.support.shop import Shop


@pytest.fixture
async def shop(sessions: Sessions) -> Shop:
    shop = await Shop(sessions).open()
    await shop.product("MUG")
    return shop


async def stored(shop: Shop, cart_id: str, checkout_id: str, *, hours_ago: float = 0) -> str:
    """A card that waits to be used; the id of its attempt."""
    attempt_id = f"pay_{checkout_id}_{hours_ago}"
    await in_transaction(
        shop.sessions,
        lambda session: add_attempt(
            session,
            attempt_id=attempt_id,
            checkout_id=checkout_id,
            cart_id=cart_id,
            gateway="simulated",
            method="card",
            token="tok_visa",
        ),
    )
    await shop.execute(
        "UPDATE payment_attempts SET created_at = now() - make_interval(secs => :age) WHERE id = :id",
        age=hours_ago * 3600,
        id=attempt_id,
    )
    return attempt_id


async def erased(shop: Shop) -> set[str]:
    """What the erasing erases; a second one finds nothing."""
    before = {row[0] for row in await shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL")}
    count = await in_transaction(shop.sessions, erase_stale_tokens)
    after = {row[0] for row in await shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL")}
    assert count == len(before - after)
    assert await in_transaction(shop.sessions, erase_stale_tokens) == 0
    statuses = await shop.rows("SELECT DISTINCT status FROM payment_attempts WHERE token IS NULL AND number IS NULL")
    assert statuses in ([], [("discarded",)])
    return before - after


async def test_a_start_that_never_began_keeps_its_token_for_as_long_as_it_may_begin(shop: Shop) -> None:
    cart = (await shop.cart({"MUG": 1})).cart_id
    longest = LONGEST_LIFE.total_seconds() / 3600
    await stored(shop, cart, new_checkout_id(cart), hours_ago=longest - 0.1)
    late = await stored(shop, cart, new_checkout_id(cart), hours_ago=longest + 0.1)
    assert await erased(shop) == {late}


async def test_what_an_earlier_start_left_goes_once_a_later_one_has_begun(shop: Shop) -> None:
    running = CheckingOut(shop, await shop.cart({"MUG": 1}))
    cart = running.basket.cart_id
    before = await stored(shop, cart, new_checkout_id(cart), hours_ago=0.1)
    own = await stored(shop, cart, running.id, hours_ago=0.1)
    another = (await shop.cart({"MUG": 1})).cart_id
    elsewhere = await stored(shop, another, new_checkout_id(another), hours_ago=0.1)
    await running.validate()
    after = await stored(shop, cart, new_checkout_id(cart))
    assert await erased(shop) == {before}
    assert {own, elsewhere, after} <= {
        row[0] for row in await shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL")
    }


async def test_what_was_stored_for_a_checkout_goes_with_its_end(shop: Shop) -> None:
    running, ended = CheckingOut(shop, await shop.cart({"MUG": 1})), CheckingOut(shop, await shop.cart({"MUG": 1}))
    for each in (running, ended):
        await each.validate()
    await ended.undo()
    kept = await stored(shop, running.basket.cart_id, running.id, hours_ago=100)
    late = await stored(shop, ended.basket.cart_id, ended.id)
    assert await erased(shop) == {late}
    await running.undo()
    assert (await shop.rows("SELECT token FROM payment_attempts WHERE id = :id", id=kept)) == [(None,)]
