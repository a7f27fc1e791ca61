"""How a checkout's workflow is started: by the API, the bench and the tests alike."""

import json
from typing import Any, TypedDict

from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from checkout.domain.audit import RepairInput
from checkout.domain.contract import MEMO_CHECKOUT_ID
from checkout.domain.ids import refund_workflow_id, repair_workflow_id, workflow_id
from checkout.domain.messages import CheckoutInput
from checkout.domain.refunds import RefundInput, RefundStatus
from checkout.domain.words import State
from checkout.workflows import search

#: Bytes of a summary as JSON, in which whatever is not ASCII takes six or twelve; a server refuses more than 400.
_LONGEST_SUMMARY = 400


class StartOptions(TypedDict):
    """Keyword arguments for ``WithStartWorkflowOperation`` and ``Client.start_workflow``, but for the task queue."""

    id: str
    id_conflict_policy: WorkflowIDConflictPolicy
    memo: dict[str, Any]
    search_attributes: TypedSearchAttributes
    static_summary: str


def start_options(checkout: CheckoutInput) -> StartOptions:
    """One running checkout for a cart: a start that meets it joins it.

    The memo carries the checkout's id, so that a checkout is found before its row exists; the search attributes are
    set here, because each upsert by the workflow would be an event in its history.
    """
    return StartOptions(
        id=workflow_id(checkout.cart_id),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        memo={MEMO_CHECKOUT_ID: checkout.checkout_id},
        search_attributes=search.at_start(checkout),
        static_summary=_summary(checkout),
    )


def _summary(checkout: CheckoutInput) -> str:
    """The cart and its items, and whether it is paid at once, on one line."""
    summary = f"{checkout.cart_id}{' express' if checkout.attempt_id else ''} {checkout.items}".strip()
    while len(json.dumps(summary)) > _LONGEST_SUMMARY:
        summary = f"{summary[:-10]}…"
    return summary


class RepairOptions(TypedDict):
    """Keyword arguments for ``Client.start_workflow``, but for the task queue, and for a child workflow."""

    id: str
    search_attributes: TypedSearchAttributes
    static_summary: str


def repair_options(repair: RepairInput, why: str = "its workflow is gone") -> RepairOptions:
    """One run for a checkout at a time: a start beside it is refused with WorkflowAlreadyStartedError."""
    return RepairOptions(
        id=repair_workflow_id(repair.checkout_id),
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(search.STATE, State.PENDING.value),
                SearchAttributePair(search.CART, repair.cart_id),
            ]
        ),
        static_summary=f"Repair of {repair.checkout_id}: {why}",
    )


class RefundOptions(TypedDict):
    """Keyword arguments for ``Client.start_workflow``, but for the task queue."""

    id: str
    id_conflict_policy: WorkflowIDConflictPolicy
    id_reuse_policy: WorkflowIDReusePolicy
    search_attributes: TypedSearchAttributes
    static_summary: str


def refund_options(refund: RefundInput) -> RefundOptions:
    """One run for a refund: a start that meets it joins it; only one that did not end well is started anew.

    So a refund that somebody terminated goes on when it is asked for again; the store knows how far it came.
    """
    return RefundOptions(
        id=refund_workflow_id(refund.order_reference, refund.refund_id),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(search.ORDER, refund.order_reference),
                SearchAttributePair(search.STATE, RefundStatus.REQUESTED.value),
            ]
        ),
        static_summary=f"Refund of order {refund.order_reference}",
    )
