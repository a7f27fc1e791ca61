"""``/admin``: checkouts as ops see them, and what admins did."""

from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Response
from sse_starlette import EventSourceResponse

from checkout.api.admin.diagnosing import DiagnosingDep
from checkout.api.admin.events import events
from checkout.api.admin.inspecting import InspectingDep
from checkout.api.admin.listing import ListingDep
from checkout.api.admin.repairing import RepairingDep
from checkout.api.admin.statistics import statistics
from checkout.api.documentation import ACTING, ADMIN, BODY, ENGINE, STORED, answer_of, problems
from checkout.api.events import NOT_KEPT, PING
from checkout.api.models import admin as models
from checkout.api.models.admin_checkout import InspectedCheckout
from checkout.api.models.checkouts import Nothing
from checkout.api.models.diagnosis import Diagnosis, Me, SystemDiagnosis
from checkout.api.models.statistics import Statistics, StatisticsQuery
from checkout.api.paths import CheckoutId, Subject
from checkout.api.resources import ResourcesDep
from checkout.api.security import AnyAdmin, CurrentAdmin

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[AnyAdmin])

LOOKING = (*ADMIN, "validation_failed", *STORED)
REPAIRING = (*ACTING, *BODY, "checkout_not_found", "workflow_gone", "checkout_busy", *ENGINE)


@router.get("/checkouts", summary="Checkouts, newest first", responses=problems(*LOOKING))
async def checkouts(
    query: Annotated[models.CheckoutsQuery, Query()],
    listing: ListingDep,
) -> models.Checkouts:
    """A page of those that fit every filter; the next one begins at ``next_cursor``."""
    return await listing.checkouts(query)


@router.get(
    "/checkouts/{checkout_id}",
    summary="A checkout in full",
    responses=problems(*LOOKING, "checkout_not_found", *ENGINE),
)
async def checkout(
    checkout_id: CheckoutId,
    inspecting: InspectingDep,
) -> InspectedCheckout:
    """As its buyer sees it, and how it went: states, phases, payments, compensations, stock, and what admins did.

    That is from rows, and stays. What is pending now Temporal is asked for, one second at most; where it does not
    answer, that is null and ``workflow.note`` says so.
    """
    return await inspecting.get(checkout_id)


@router.get(
    "/checkouts/{subject}/diagnosis",
    summary="What is wrong with a checkout",
    responses=problems(*LOOKING, "checkout_not_found", *ENGINE),
)
async def diagnosis(
    subject: Subject,
    diagnosing: DiagnosingDep,
) -> Diagnosis:
    """The checkout in full, what the payment gateway has of it, and what does not agree: with what to do about each.

    A cart stands for its latest checkout, an order for the one that made it. The gateway is asked, 3 seconds at most;
    nothing is changed anywhere.
    """
    return await diagnosing.checkout(subject)


@router.get("/diagnosis", summary="What is wrong with the shop", responses=problems(*LOOKING))
async def system(
    diagnosing: DiagnosingDep,
) -> SystemDiagnosis:
    """What keeps the shop from selling, the payment gateway included, and which checkouts are stuck."""
    return await diagnosing.system()


@router.get("/me", summary="Who asks", responses=problems(*ADMIN))
async def me(admin: CurrentAdmin) -> Me:
    """The name and the role that the token has."""
    return Me(name=admin.name, role=admin.role)


@router.post(
    "/checkouts/{checkout_id}/release",
    summary="Release a checkout",
    responses={
        202: answer_of("Still giving back after 5 seconds", "InspectedCheckout"),
        **problems(*REPAIRING, "too_late"),
    },
)
async def release(
    checkout_id: CheckoutId, body: models.Why, repairing: RepairingDep, response: Response
) -> InspectedCheckout:
    """Cancels it and gives back all that it holds, also while a bank transfer is awaited; repeated, the same."""
    response.status_code, found = await repairing.release(checkout_id, body.reason)
    return found


@router.post(
    "/checkouts/{checkout_id}/retry",
    summary="Try at once what is stuck",
    responses=problems(*REPAIRING, "nothing_to_retry"),
)
async def retry(
    checkout_id: CheckoutId,
    repairing: RepairingDep,
    body: Nothing | None = None,  # noqa: ARG001 - whatever is sent in it is refused
) -> InspectedCheckout:
    """After the cause is mended: what waits for its next attempt does not wait longer, and begins to count anew."""
    return await repairing.retry(checkout_id)


@router.post(
    "/checkouts/{checkout_id}/resolve",
    summary="Resolve by hand what the gateway refuses",
    responses={
        202: answer_of("Not taken in after 5 seconds; the next look tells", "InspectedCheckout"),
        **problems(*REPAIRING, "not_refused"),
    },
)
async def resolve(
    checkout_id: CheckoutId, body: models.Resolution, repairing: RepairingDep, response: Response
) -> InspectedCheckout:
    """Where the gateway refuses for good to void or refund, and people have settled it: the checkout goes on.

    Its payments are ``resolved`` from then on, by whom and how stands beside them. The gateway is not asked.
    """
    response.status_code, found = await repairing.resolve(checkout_id, body)
    return found


@router.get("/statistics", summary="Figures for monitors", responses=problems(*LOOKING))
async def figures(
    query: Annotated[StatisticsQuery, Query()],
    resources: ResourcesDep,
) -> Statistics:
    """What runs now, and what ended within the last hours: how, in which phase, and how long it took."""
    return await statistics(resources, query.hours)


@router.get(
    "/events",
    summary="Watch all checkouts",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Which checkouts have changed, once a second at most",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": models.EVENTS}},
        },
        **problems(*ADMIN),
    },
)
async def watch(
    resources: ResourcesDep,
) -> EventSourceResponse:
    """Server-sent events named ``changes``: ids of checkouts that have changed, or null where any may have.

    The first one is null: look at what you show, and again at each event. Read it by ``fetch``, as the token is sent in
    the header.
    """
    stopping = anyio.Event()
    return EventSourceResponse(
        events(resources.changes, stopping),
        ping=PING,
        headers=NOT_KEPT,
        shutdown_event=stopping,
        shutdown_grace_period=1,
    )


@router.get("/actions", summary="What admins did", responses=problems(*LOOKING))
async def actions(
    query: Annotated[models.ActionsQuery, Query()],
    listing: ListingDep,
) -> models.Actions:
    """The newest first: what was done and what was refused, by whom, why, and what came of it."""
    return await listing.actions(query)
