"""How a checkout's workflow is started: by the API, the bench and the tests alike."""

from typing import Any, TypedDict

from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy

from checkout.domain.contract import MEMO_CHECKOUT_ID
from checkout.domain.ids import workflow_id
from checkout.domain.messages import CheckoutInput
from checkout.workflows import search


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
        static_summary=f"Checkout {checkout.checkout_id}" + (" (express)" if checkout.attempt_id else ""),
    )
