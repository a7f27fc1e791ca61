"""``/admin``: checkouts as ops see them, and what admins did."""

from typing import Annotated

from fastapi import APIRouter, Query

from checkout.api.admin.inspecting import InspectingDep
from checkout.api.admin.listing import ListingDep
from checkout.api.documentation import ADMIN, ENGINE, STORED, problems
from checkout.api.models import admin as models
from checkout.api.models.admin_checkout import InspectedCheckout
from checkout.api.paths import CheckoutId
from checkout.api.security import CurrentAdmin

router = APIRouter(prefix="/admin", tags=["admin"])

LOOKING = (*ADMIN, "validation_failed", *STORED)


@router.get("/checkouts", summary="Checkouts, newest first", responses=problems(*LOOKING))
async def checkouts(
    query: Annotated[models.CheckoutsQuery, Query()],
    admin: CurrentAdmin,  # noqa: ARG001 - any admin may look
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
    admin: CurrentAdmin,  # noqa: ARG001 - any admin may look
    inspecting: InspectingDep,
) -> InspectedCheckout:
    """As its buyer sees it, and how it went: states, phases, payments, compensations, stock, and what admins did.

    That is from rows, and stays. What is pending now Temporal is asked for, one second at most; where it does not
    answer, that is null and ``workflow.note`` says so.
    """
    return await inspecting.get(checkout_id)


@router.get("/actions", summary="What admins did", responses=problems(*LOOKING))
async def actions(
    query: Annotated[models.ActionsQuery, Query()],
    admin: CurrentAdmin,  # noqa: ARG001 - any admin may look
    listing: ListingDep,
) -> models.Actions:
    """The newest first: what was done and what was refused, by whom, why, and what came of it."""
    return await listing.actions(query)
