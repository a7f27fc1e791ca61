"""``/checkouts``: started, read, watched, paid, extended and cancelled."""

from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query, Response
from sse_starlette import EventSourceResponse

from checkout.api.asking import AskingDep
from checkout.api.documentation import BODY, ENGINE, SESSION, answer, problems
from checkout.api.events import NOT_KEPT, PING, events
from checkout.api.idempotency import IntentDep
from checkout.api.kept_route import KeptRoute
from checkout.api.models import checkouts as models
from checkout.api.models.carts import COUPON_PROBLEMS
from checkout.api.paths import CheckoutId
from checkout.api.protection.gate import GateDep
from checkout.api.protection.limiting import Endpoint
from checkout.api.reading import ReadingDep
from checkout.api.resources import ResourcesDep
from checkout.api.security import OwnerDep
from checkout.api.starting import StartingDep
from checkout.domain.words import State

router = APIRouter(prefix="/checkouts", tags=["checkouts"])

READING = (*SESSION, "checkout_not_found", "validation_failed", *ENGINE)
ASKING = (*READING, *BODY, "checkout_busy")
#: What a phase from the payment on may refuse for good.
PAYING = (
    "gateway_refused",
    "funds_refused",
    "authorized_amount_differs",
    "payment_authorization_timed_out",
    "reservation_missing",
    "capture_refused",
    "captured_amount_differs",
    "payment_capture_timed_out",
    "workflow_terminated",
)
#: What a phase may refuse for good, beside the coupon's own codes.
PHASES = (
    "empty_cart",
    "email_missing",
    "address_missing",
    "sku_unavailable",
    "insufficient_stock",
    "price_missing",
    "no_shipping",
    "amount_too_large",
    "pricing_impossible",
    *PAYING,
    *COUPON_PROBLEMS,
)


@router.post(
    "",
    status_code=201,
    summary="Start a checkout",
    responses={
        201: answer("Its prices are locked, or with `payment`, it is completed", State.AWAITING_PAYMENT),
        200: answer("The session's running one; `payment` was not applied", State.AWAITING_PAYMENT),
        202: answer("Still running after 5 seconds", State.VALIDATING),
        **problems(
            *SESSION,
            *BODY,
            "card_number_refused",
            "cart_not_found",
            "cart_ordered",
            "checkout_in_progress",
            "checkout_closing",
            "checkout_cancelled",
            "checkout_expired",
            "total_mismatch",
            "payment_declined",
            "payment_not_processed",
            "rate_limited",
            "too_many_checkouts",
            *PHASES,
            *ENGINE,
            "checkout_busy",
        ),
    },
)
async def start(
    body: models.Start, owner: OwnerDep, starting: StartingDep, gate: GateDep, intent: IntentDep, response: Response
) -> models.Checkout:
    """Locks the cart, holds its stock and freezes its prices; with ``payment`` it pays as well.

    Of several starts at once exactly one is answered 201. When a phase refuses, nothing is held and the cart is open
    again by the time the answer arrives.
    """
    await gate.enter(Endpoint.START)
    response.status_code, checkout = await starting.start(owner, body, intent)
    response.headers["Location"] = f"/checkouts/{checkout.id}"
    return checkout


async def get(
    checkout_id: CheckoutId, query: Annotated[models.CheckoutQuery, Query()], owner: OwnerDep, reading: ReadingDep
) -> models.LiveCheckout:
    """By its row, or what is kept of it for at most 30 seconds unless it changes.

    ``live=true`` asks the workflow as well and adds what it waits for, the higher version answering.
    """
    return await reading.get(owner, checkout_id, live=query.live, keep=not query.live)


router.add_api_route(
    "/{checkout_id}",
    get,
    methods=["GET"],
    summary="A checkout",
    responses=problems(*READING),
    route_class_override=KeptRoute,
)


@router.get(
    "/{checkout_id}/events",
    summary="Watch a checkout",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "The checkout now, then at every change; ends after a final state",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": models.EVENT}},
        },
        **problems(*READING),
    },
)
async def watch(
    checkout_id: CheckoutId,
    owner: OwnerDep,
    resources: ResourcesDep,
    reading: ReadingDep,
    last_event_id: Annotated[str | None, Header(description="The last event seen: only what is newer is sent")] = None,
) -> EventSourceResponse:
    """Server-sent events named ``checkout``: the id is the version, the data the checkout's JSON on one line.

    The token is sent in the header, so read the stream by ``fetch``: ``EventSource`` cannot send one.
    """
    first, stopping = await reading.get(owner, checkout_id), anyio.Event()
    return EventSourceResponse(
        events(reading, resources.changes, owner, first, last_event_id, stopping),
        ping=PING,
        headers=NOT_KEPT,
        shutdown_event=stopping,
        shutdown_grace_period=1,
    )


@router.post(
    "/{checkout_id}/payment",
    summary="Pay",
    responses={
        200: answer(
            "Paid: the checkout is completed; or it waits for the buyer (`requires_action`), as `next_action` says",
            State.COMPLETED,
        ),
        202: answer("Still running after 5 seconds", State.AUTHORIZING),
        **problems(
            *ASKING,
            "card_number_refused",
            "payment_declined",
            "payment_not_processed",
            "payment_in_progress",
            "not_payable",
            "total_mismatch",
            "checkout_expired",
            "checkout_cancelled",
            "checkout_failed",
            "rate_limited",
            *PAYING,
        ),
    },
)
async def pay(
    checkout_id: CheckoutId,
    body: models.Pay,
    owner: OwnerDep,
    asking: AskingDep,
    gate: GateDep,
    intent: IntentDep,
    response: Response,
) -> models.Checkout:
    """Authorizes the locked total, makes the order, captures and takes the goods out of stock.

    A declined card leaves ``attempts_left``; at 0 all is given back.
    """
    await gate.enter(Endpoint.PAYMENT)
    response.status_code, checkout = await asking.pay(owner, checkout_id, body, intent)
    return checkout


@router.post(
    "/{checkout_id}/payment/confirm",
    summary="The buyer is back",
    responses={
        200: answer("Approved and paid, or as far as it has come", State.COMPLETED),
        **problems(*ASKING, "payment_declined", "payment_not_processed"),
    },
)
async def confirm(
    checkout_id: CheckoutId,
    owner: OwnerDep,
    asking: AskingDep,
    intent: IntentDep,
    body: models.Nothing | None = None,  # noqa: ARG001 - whatever is sent in it is refused
) -> models.Checkout:
    """After ``requires_action``: looks at the gateway at once, without waiting for its event.

    May be sent at any time and repeated: it says nothing but that it is time to look. 402 when the buyer has denied.
    """
    return await asking.confirm(owner, checkout_id, intent)


@router.post(
    "/{checkout_id}/extend",
    summary="Move the deadline",
    responses=problems(*ASKING, "not_extendable", "checkout_expired", "checkout_closing"),
)
async def extend(
    checkout_id: CheckoutId, body: models.Extend, owner: OwnerDep, asking: AskingDep, intent: IntentDep
) -> models.Checkout:
    """To now + ttl, cut to the start + the shop's maximum, and never earlier than it was."""
    return await asking.extend(owner, checkout_id, body.ttl_seconds, intent)


@router.post(
    "/{checkout_id}/cancel",
    summary="Cancel",
    responses={
        200: answer("All is given back, the cart is open again", State.CANCELLED),
        202: answer("Still giving back after 5 seconds", State.COMPENSATING),
        **problems(*ASKING, "too_late", "checkout_closing"),
    },
)
async def cancel(
    checkout_id: CheckoutId,
    owner: OwnerDep,
    asking: AskingDep,
    intent: IntentDep,
    response: Response,
    body: models.Nothing | None = None,  # noqa: ARG001 - whatever is sent in it is refused
) -> models.Checkout:
    """Until the order is being made; repeated, the same answer."""
    response.status_code, checkout = await asking.cancel(owner, checkout_id, intent)
    return checkout
