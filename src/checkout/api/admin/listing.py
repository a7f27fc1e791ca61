"""The list of checkouts, and the log of what admins did, as pages."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Depends

from checkout.api import cursor
from checkout.api.models import admin as models
from checkout.api.problems import invalid
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.validation import FieldError
from checkout.domain.times import rfc3339
from checkout.runtime.links import temporal_url
from checkout.runtime.settings import Settings
from checkout.store import actions, listing, stuck


class Listing:
    """Pages for ops."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._settings = resources.database, resources.settings

    async def checkouts(self, query: models.CheckoutsQuery) -> models.Checkouts:
        """A page of checkouts. Raises Problem that names what is wrong with the query."""
        if query.date_from is not None and query.date_to is not None and query.date_from >= query.date_to:
            raise invalid(FieldError("date_to", "must be later than date_from"))
        wanted = listing.Filter(
            query.state, query.phase, query.customer_id, query.date_from, query.date_to, query.stuck
        )
        after = cursor.place_of(query.cursor)
        found = await self._database.read(
            lambda session: listing.list_checkouts(
                session, wanted, patience(self._settings), after=after, limit=query.limit + 1
            )
        )
        shown, following = cursor.page(found, query.limit, lambda last: (last.created_at, last.id))
        return models.Checkouts(items=[self._listed(one) for one in shown], next_cursor=following)

    async def actions(self, query: models.ActionsQuery) -> models.Actions:
        """A page of the log. Raises Problem that names what is wrong with the query."""
        before = None if query.cursor is None else cursor.decode(query.cursor, [int])[0]
        found = await self._database.read(
            lambda session: actions.list_actions(session, target=query.target, before=before, limit=query.limit + 1)
        )
        shown, following = cursor.page(found, query.limit, lambda last: last.id)
        return models.Actions(items=[models.Action.model_validate(asdict(one)) for one in shown], next_cursor=following)

    def _listed(self, one: listing.ListedCheckout) -> models.ListedCheckout:
        return models.ListedCheckout(
            id=one.id,
            cart_id=one.cart_id,
            state=one.state,
            state_name=one.state.label,
            phase=one.phase,
            customer_id=one.customer_id,
            order_reference=one.order_reference,
            total=one.total,
            currency=one.currency,
            failure_code=one.failure_code,
            created_at=one.created_at,
            updated_at=one.updated_at,
            expires_at=one.expires_at,
            stuck=one.stuck is not None,
            stuck_reason=stuck_sentence(one.stuck, one.state.label, one.expires_at, one.updated_at),
            temporal_url=temporal_url(self._settings, one.workflow_id, one.run_id),
        )


def stuck_sentence(reason: str | None, label: str, expires_at: datetime | None, since: datetime) -> str | None:
    """Why a checkout counts as stuck, for people."""
    if reason is None:
        return None
    if reason == stuck.OVERDUE and expires_at is not None:
        return f"its deadline passed at {rfc3339(expires_at)}, and it has not ended"
    return f"{label.lower()} since {rfc3339(since)}"


def patience(settings: Settings) -> stuck.Patience:
    """How long is too long."""
    return stuck.Patience(settings.overdue_after, settings.stuck_after)


async def lists(resources: ResourcesDep) -> Listing:
    """The application's lists."""
    return Listing(resources)


ListingDep = Annotated[Listing, Depends(lists)]
