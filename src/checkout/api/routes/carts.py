"""``/carts``: made, filled, addressed, discounted and claimed. Nothing of it holds stock; the checkout does."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.api.database import Database
from checkout.api.documentation import BODY, ENGINE, SESSION, STORED, problems
from checkout.api.idempotency import IntentDep
from checkout.api.models import carts as models
from checkout.api.models.checkouts import CartCheckout
from checkout.api.paths import CartId, Sku
from checkout.api.problems import Problem, invalid
from checkout.api.reading import ReadingDep
from checkout.api.resources import DatabaseDep, RulesDep, SettingsDep
from checkout.api.security import CurrentSession, OptionalSession, OwnerDep, Session, TokensDep
from checkout.api.shown import cart_answer
from checkout.api.shown_checkout import record_answer
from checkout.api.validation import FieldError
from checkout.domain.ids import new_session_id
from checkout.domain.shortage import INSUFFICIENT_STOCK
from checkout.store import carts as store
from checkout.store.carts import CartView
from checkout.store.checkouts import CheckoutRecord, read_running_checkout
from checkout.store.holds import shortage_of
from checkout.store.owner import Owner
from checkout.store.pricing import PriceRules

router = APIRouter(prefix="/carts", tags=["carts"])

READING = (*SESSION, "cart_not_found", "validation_failed", "pricing_impossible", *STORED)
CHANGING = (*READING, *BODY, "cart_locked", "cart_ordered")


class Change:
    """Changes a cart and answers it at current prices, in one transaction."""

    def __init__(self, database: Database, rules: PriceRules, owner: Owner) -> None:
        self._database, self._rules, self._owner = database, rules, owner

    async def __call__(self, cart_id: str, change: Callable[[AsyncSession], Awaitable[None]]) -> models.Cart:
        """Raises what ``change`` raises, with nothing changed."""

        async def work(session: AsyncSession) -> CartView:
            await change(session)
            return await store.view_cart(session, self._owner, cart_id, self._rules)

        return cart_answer(await self._database.write(work))


async def changing(database: DatabaseDep, rules: RulesDep, owner: OwnerDep) -> Change:
    """Changes of the caller's carts."""
    return Change(database, rules, owner)


ChangeDep = Annotated[Change, Depends(changing)]


@router.post(
    "",
    status_code=201,
    summary="Make a cart",
    responses=problems(*BODY, "token_invalid", "token_expired", "session_required", *STORED),
)
async def create(
    body: models.NewCart,
    caller: OptionalSession,
    tokens: TokensDep,
    database: DatabaseDep,
    rules: RulesDep,
    intent: IntentDep,
) -> models.CreatedCart:
    """Without a token the answer has a new session's: send it as ``Authorization: Bearer`` from then on."""
    session = caller or Session(new_session_id())

    async def work(transaction: AsyncSession) -> CartView:
        cart_id = await store.create_cart(transaction, session.owner, body.currency, body.email, seed=intent.seed)
        return await store.view_cart(transaction, session.owner, cart_id, rules)

    cart = cart_answer(await database.write(work))
    token = None if caller else tokens.mint(session)
    return models.CreatedCart(**dict(cart), session_token=token)


@router.get("/{cart_id}", summary="A cart at current prices", responses=problems(*READING))
async def get(cart_id: CartId, owner: OwnerDep, database: DatabaseDep, rules: RulesDep) -> models.Cart:
    """Prices, discounts, shipping and tax as they are now; a checkout freezes them."""
    return cart_answer(await database.read(lambda session: store.view_cart(session, owner, cart_id, rules)))


@router.get("/{cart_id}/checkout", summary="Whether it can be checked out", responses=problems(*READING, *ENGINE))
async def checkout(
    cart_id: CartId, owner: OwnerDep, database: DatabaseDep, rules: RulesDep, settings: SettingsDep, reading: ReadingDep
) -> CartCheckout:
    """Why it cannot, as codes: all at once; and the checkout that runs, whoever of its owners started it.

    One that was started and waits for a worker holds nothing yet, but runs: `checkout_in_progress`.
    """

    async def work(session: AsyncSession) -> tuple[CartView, bool, CheckoutRecord | None]:
        view = await store.view_cart(session, owner, cart_id, rules)
        short = not view.locked and await shortage_of(session, cart_id) is not None
        return view, short, await read_running_checkout(session, cart_id)

    view, short, record = await database.read(work)
    reasons = [*view.obstacles(), *([INSUFFICIENT_STOCK] if short else [])]
    running = None if record is None else record_answer(record, settings.max_ttl)
    if running is None and view.order_reference is None:
        running = await reading.running(owner, cart_id)
        reasons += ["checkout_in_progress"] if running is not None else []
    return CartCheckout(locked=view.locked, can_checkout=not reasons, reasons=reasons, checkout=running)


@router.put(
    "/{cart_id}/lines/{sku:path}", summary="Set a line", responses=problems(*CHANGING, "sku_not_found", "cart_full")
)
async def set_line(
    cart_id: CartId, sku: Sku, body: models.LineQuantity, owner: OwnerDep, change: ChangeDep
) -> models.Cart:
    """Have so many of a SKU in the cart. Stock is not asked; the checkout does."""
    return await change(cart_id, lambda session: store.set_line(session, owner, cart_id, sku, body.quantity))


@router.delete("/{cart_id}/lines/{sku:path}", summary="Delete a line", responses=problems(*CHANGING))
async def delete_line(cart_id: CartId, sku: Sku, owner: OwnerDep, change: ChangeDep) -> models.Cart:
    """Have none of a SKU in the cart; deleting what is not there is the same."""
    return await change(cart_id, lambda session: store.delete_line(session, owner, cart_id, sku))


@router.put("/{cart_id}/addresses", summary="Set the addresses", responses=problems(*CHANGING))
async def set_addresses(cart_id: CartId, body: models.Addresses, owner: OwnerDep, change: ChangeDep) -> models.Cart:
    """Both are replaced: without ``billing`` the shipping address is billed. Without ``email`` it stays as it was."""
    billing = body.billing.model_dump() if body.billing else None
    return await change(
        cart_id,
        lambda session: store.set_addresses(session, owner, cart_id, body.shipping.model_dump(), billing, body.email),
    )


@router.put("/{cart_id}/coupon", summary="Apply a coupon", responses=problems(*CHANGING, *models.COUPON_PROBLEMS))
async def set_coupon(
    cart_id: CartId, body: models.CouponCode, owner: OwnerDep, database: DatabaseDep, rules: RulesDep
) -> models.Cart:
    """One that this cart may use now; it is counted when the checkout locks the prices."""
    return cart_answer(
        await database.write(lambda session: store.set_coupon(session, owner, cart_id, body.code, rules))
    )


@router.delete("/{cart_id}/coupon", summary="Remove the coupon", responses=problems(*CHANGING))
async def delete_coupon(cart_id: CartId, owner: OwnerDep, database: DatabaseDep, rules: RulesDep) -> models.Cart:
    """Removing what is not there is the same."""
    return cart_answer(await database.write(lambda session: store.set_coupon(session, owner, cart_id, None, rules)))


@router.get("/{cart_id}/shipping-options", summary="Ways to ship it", responses=problems(*READING))
async def shipping_options(
    cart_id: CartId, owner: OwnerDep, database: DatabaseDep, rules: RulesDep
) -> models.ShippingOptions:
    """The cheapest first; it applies until one is chosen. None while the cart has no address."""
    view = await database.read(lambda session: store.view_cart(session, owner, cart_id, rules))
    pricing = view.pricing
    return models.ShippingOptions(
        items=[
            models.ShippingOption(
                code=quote.code,
                name=quote.name,
                amount=quote.price,
                currency=pricing.currency,
                selected=quote.code == pricing.shipping_option,
            )
            for quote in sorted(pricing.shipping_options, key=lambda quote: (quote.price, quote.code))
        ]
    )


@router.put(
    "/{cart_id}/shipping-option",
    summary="Choose a shipping option",
    responses=problems(*CHANGING, "shipping_option_unavailable", "address_missing"),
)
async def set_shipping_option(
    cart_id: CartId, body: models.ShippingChoice, owner: OwnerDep, database: DatabaseDep, rules: RulesDep
) -> models.Cart:
    """One of those that ship this cart to its address."""
    return cart_answer(
        await database.write(lambda session: store.set_shipping_option(session, owner, cart_id, body.option, rules))
    )


@router.post("/{cart_id}/claim", summary="Claim a cart", responses=problems(*CHANGING, "customer_required"))
async def claim(
    cart_id: CartId,
    body: models.Claim,
    session: CurrentSession,
    tokens: TokensDep,
    database: DatabaseDep,
    rules: RulesDep,
) -> models.Cart:
    """Give a guest's cart to the customer who has signed in: with the customer's token, and the cart's in the body."""
    customer = session.customer_id
    if customer is None:
        raise Problem("customer_required", "Claim a cart with the token of a customer who is signed in.")
    try:
        guest = tokens.session(body.session_token)
    except Problem as refused:
        raise invalid(
            FieldError("session_token", "must be the cart's session token, and not have expired")
        ) from refused

    async def work(transaction: AsyncSession) -> CartView:
        await store.claim(transaction, guest.owner, cart_id, customer)
        return await store.view_cart(transaction, session.owner, cart_id, rules)

    return cart_answer(await database.write(work))
