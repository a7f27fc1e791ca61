"""How an event goes out: a workflow of its own tells the listeners, and outlives the one that the event is about."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from checkout.domain import contract
from checkout.domain.events import Announcement
from checkout.workflows import search


async def announce(announcement: Announcement | None) -> None:
    """Start telling the listeners, and return once that is under way; nothing where nobody listens.

    An event that is announced again (by a run that was reset, or a repair) is told once all the same.
    """
    if announcement is None:
        return
    listeners = ", ".join(call.listener for call in announcement.calls)
    await start_beside(
        contract.NOTIFY_WORKFLOW,
        announcement,
        announcement.workflow_id,
        announcement,
        f"{announcement.event} to {listeners}",
    )


async def start_beside(name: str, argument: Any, workflow_id: str, about: Announcement, summary: str) -> None:
    """Start a workflow that outlives this one, once: where one of that id was started before, nothing."""
    try:
        await workflow.start_child_workflow(
            name,
            argument,
            id=workflow_id,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            search_attributes=_attributes(about),
            static_summary=summary,
        )
    except WorkflowAlreadyStartedError:
        workflow.logger.info("started before: %s", workflow_id)


@dataclass
class Announcer:
    """Announces beside what a checkout does: no phase and no answer waits for it."""

    _begun: list[asyncio.Task[None]] = field(default_factory=list)

    def announce(self, announcement: Announcement | None) -> None:
        """Have the listeners told of it; nothing where nobody listens."""
        if announcement is not None:
            self._begun.append(asyncio.create_task(announce(announcement)))

    async def settle(self) -> None:
        """Return once all that was announced is under way: a workflow that ended before would take it along."""
        for begun in self._begun:
            await begun


def _attributes(announcement: Announcement) -> TypedSearchAttributes:
    facts = announcement.facts
    pairs = [SearchAttributePair(search.CART, str(facts["cart_id"]))]
    if facts.get("order_reference"):
        pairs.append(SearchAttributePair(search.ORDER, str(facts["order_reference"])))
    return TypedSearchAttributes(pairs)
