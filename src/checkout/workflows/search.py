"""The search attributes of a checkout as typed keys, and what they are to say; names in ``domain.search``."""

from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from checkout.domain import search
from checkout.domain.messages import CheckoutInput
from checkout.domain.progress import Progress
from checkout.domain.words import Phase, State

STATE = SearchAttributeKey.for_keyword(search.STATE)
PHASE = SearchAttributeKey.for_keyword(search.PHASE)
CART = SearchAttributeKey.for_keyword(search.CART)
CUSTOMER = SearchAttributeKey.for_keyword(search.CUSTOMER)
ITEMS = SearchAttributeKey.for_keyword(search.ITEMS)
ORDER = SearchAttributeKey.for_keyword(search.ORDER)
FAILURE = SearchAttributeKey.for_keyword(search.FAILURE)
TOTAL = SearchAttributeKey.for_int(search.TOTAL)
DEADLINE = SearchAttributeKey.for_datetime(search.DEADLINE)

#: Characters of a keyword in a server's SQL visibility store.
LONGEST = 255


def at_start(checkout: CheckoutInput) -> TypedSearchAttributes:
    """What the starter sets, so that the workflow need not: the first state, the cart, items and customer."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(STATE, State.PENDING.value),
        SearchAttributePair(PHASE, Phase.CART_VALIDATION.value),
        SearchAttributePair(CART, checkout.cart_id),
    ]
    if checkout.customer_id is not None:
        pairs.append(SearchAttributePair(CUSTOMER, checkout.customer_id))
    if checkout.items:
        pairs.append(SearchAttributePair(ITEMS, checkout.items[:LONGEST]))
    return TypedSearchAttributes(pairs)


def changes(shown: TypedSearchAttributes, progress: Progress) -> list[SearchAttributeUpdate[Any]]:
    """The updates that bring what is shown up to date; none when nothing changed (each upsert is a history event)."""
    wanted: list[tuple[SearchAttributeKey[Any], str | int | datetime | None]] = [
        (STATE, progress.state.value),
        (PHASE, progress.phase.value if progress.phase else None),
        (ORDER, progress.order_reference),
        (FAILURE, progress.failure.code if progress.failure else None),
        (TOTAL, progress.total),
        (DEADLINE, progress.deadline),
    ]
    return [
        key.value_unset() if value is None else key.value_set(value) for key, value in wanted if shown.get(key) != value
    ]
