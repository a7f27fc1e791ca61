"""What is wrong with one checkout, and what to do: rules over what rows, Temporal and the gateway say.

A rule is a function of :data:`RULES` that gives its findings, none where all is well. The terminal and the admin page
show them as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from checkout.api.admin.workflow import AWAY, FORGOTTEN, has_ended
from checkout.api.models.admin_checkout import InspectedCheckout, PendingActivity
from checkout.api.models.diagnosis import AtGateway, Finding
from checkout.domain import reconciliation
from checkout.domain.money import money_text
from checkout.domain.times import rfc3339
from checkout.store.inconsistent import Contradiction


@dataclass(frozen=True)
class Evidence:
    """All that is known of a checkout. ``polling``: whether a worker asks for work, None where nobody can say.

    ``audit_every`` as the setting, in seconds.
    """

    found: InspectedCheckout
    polling: bool | None = None
    contradictions: Sequence[Contradiction] = ()
    gateway: Sequence[AtGateway] = ()
    #: What reconciliation finds out of place about those payments.
    unexplained: Sequence[reconciliation.Finding] = ()
    audit_every: int = 60


Rule = Callable[[Evidence], Sequence[Finding]]


def findings(evidence: Evidence) -> list[Finding]:
    """All that is wrong, the cause before what follows from it."""
    return [finding for rule in RULES for finding in rule(evidence)]


def workflow_gone(evidence: Evidence) -> Sequence[Finding]:
    """Open, and nobody goes on with it."""
    found = evidence.found
    if found.state.closed:
        return []
    status = "not there any more" if found.workflow.note == FORGOTTEN else found.workflow.status or ""
    if found.workflow.note != FORGOTTEN and not has_ended(status):
        return []
    detail = f"The checkout is {found.state_name.lower()}, and its workflow is {status.replace('_', ' ')}."
    at_once = f"`checkout release {found.id} --reason …`"
    remedy = (
        f"The audit, which looks every {evidence.audit_every} s, ends it by itself; {at_once} does at once. Where it "
        "stays as it is, see that a worker runs."
        if evidence.audit_every
        else f"End it by {at_once}: the audit, which would, is turned off (CHECKOUT_AUDIT_EVERY is 0)."
    )
    return [Finding(code="workflow_gone", detail=detail, remedy=remedy)]


def away(evidence: Evidence) -> Sequence[Finding]:
    """Temporal, or a worker, does not answer."""
    if evidence.found.workflow.note == AWAY:
        return [
            Finding(
                code="temporal_away",
                detail="Temporal does not answer.",
                remedy="Bring the Temporal server back: the checkout goes on by itself then.",
            )
        ]
    waits = _untaken(evidence.found)
    if waits or (evidence.polling is False and not evidence.found.state.closed):
        detail = waits or "No worker asks for work, so nothing of the checkout goes on."
        remedy = "Start a worker (`checkout worker`), or look at its log: the checkout goes on by itself then."
        return [Finding(code="worker_away", detail=detail, remedy=remedy)]
    return []


def paused(evidence: Evidence) -> Sequence[Finding]:
    """Somebody paused the workflow, or an activity of it, in Temporal: nothing is tried until it is resumed."""
    workflow = evidence.found.workflow
    found = [
        Finding(
            code="activity_paused",
            detail=f"{one.activity} is paused in Temporal {one.paused}".rstrip() + ".",
            remedy=f"Ask why, then `checkout retry {evidence.found.id}`: it goes on at once.",
        )
        for one in workflow.pending_activities or ()
        if one.paused is not None
    ]
    if workflow.status == "paused":
        remedy = (
            f"Ask why, then `temporal workflow unpause --workflow-id {workflow.workflow_id} --run-id "
            f"{workflow.run_id}`: it goes on by itself then. Until then it takes nothing in, a release neither."
        )
        detail = f"The workflow is paused in Temporal {workflow.paused or ''}".rstrip() + "."
        found.insert(0, Finding(code="workflow_paused", detail=detail, remedy=remedy))
    return found


def failing_tasks(evidence: Evidence) -> Sequence[Finding]:
    """The workflow's code fails, or does not fit its history."""
    failed = evidence.found.workflow.failed_tasks
    if not failed or has_ended(evidence.found.workflow.status):
        return []
    return [
        Finding(
            code="workflow_tasks",
            detail=f"The workflow's code has failed {_times(failed)} in a row, so that nothing goes on.",
            remedy="The run in the Temporal UI says why (Workflow Task Failed). After a deploy, put the code back that "
            "the run was begun with, or mend it: the checkout goes on by itself then.",
        )
    ]


def failing_activities(evidence: Evidence) -> Sequence[Finding]:
    """What is tried again and again."""
    return [
        _failing(one, evidence.found.id)
        for one in evidence.found.workflow.pending_activities or ()
        if one.last_failure is not None
    ]


def refused(evidence: Evidence) -> Sequence[Finding]:
    """Compensations that the gateway refuses for good."""
    return [
        Finding(
            code="compensation_refused",
            detail=f"{one.compensation} is refused: {one.last_error or 'without a reason'}.",
            remedy=f"Mend the cause and `checkout retry {evidence.found.id}`; or settle the payment on the gateway's "
            f"own pages and `checkout resolve {evidence.found.id} --compensation {one.compensation} "
            "--reason … --done …`.",
        )
        for one in evidence.found.timeline.compensations
        if one.refused and not evidence.found.state.closed
    ]


def stuck(evidence: Evidence) -> Sequence[Finding]:
    """Not gone on for longer than it should take."""
    if not evidence.found.stuck:
        return []
    return [
        Finding(
            code="stuck",
            detail=f"It should have gone on by itself: {evidence.found.stuck_reason}.",
            remedy="The other findings say why. Without one, look at its run in the Temporal UI and at the worker's "
            "log.",
        )
    ]


def gateway(evidence: Evidence) -> Sequence[Finding]:
    """The gateway's books beside the shop's."""
    found: list[Finding] = []
    silent = [one for one in evidence.gateway if one.answer == "away"]
    if silent:
        found.append(Finding(code="gateway_away", detail=f"{silent[0].note}.", remedy=GATEWAY_REMEDY))
    by_hand = {one.id for one in evidence.found.timeline.payments if one.by_hand is not None}
    found += [
        Finding(
            code="gateway_unknown",
            detail=f"The shop's books have payment {one.payment_id}. {one.note}.",
            remedy="See that the shop's key is of the account, and of the mode, in which it was paid.",
        )
        for one in evidence.gateway
        if one.answer == "unknown" and one.attempt_id not in by_hand
    ]
    found += [
        Finding(code=one.kind.value, detail=f"At the gateway {one.detail}.", remedy=f"{one.remedy}.")
        for one in evidence.unexplained
    ]
    if not evidence.found.state.closed and not evidence.found.workflow.pending_activities:
        found += _behind(evidence)
    return found


def rows(evidence: Evidence) -> Sequence[Finding]:
    """Rows that contradict each other. None of it should ever be, so there is no routine for it."""
    return [
        Finding(
            code=one.code,
            detail=f"The rows contradict each other: {one.detail}.",
            remedy=_MENDS.get(
                one.code, "This breaks a guarantee: keep rows, logs and the run's history, and report it."
            ),
        )
        for one in evidence.contradictions
    ]


RULES: tuple[Rule, ...] = (
    workflow_gone,
    away,
    paused,
    failing_tasks,
    failing_activities,
    refused,
    gateway,
    rows,
    stuck,
)

_MENDS = {
    "units_still_held": "`checkout verify` says what differs, `checkout verify --repair` mends it.",
    "payment_not_settled": "`checkout reconcile --fix` gives back what the gateway still holds.",
    "captured_differs": "Compare the payment at the gateway with the order, and refund or collect the difference.",
}

#: A worker that is there takes a task within this; that of one which died goes to another after 10 s.
TAKEN_WITHIN = timedelta(seconds=15)

#: What is said where the payment gateway is away, and what to do.
GATEWAY_AWAY = "The payment gateway gives no answer that counts"
GATEWAY_REMEDY = "See that the payment gateway answers where the shop's settings say, and that it takes the shop's key."

#: What to do first, by words of a failure (docs/operate/temporal-ui.md), the first that fits.
_CAUSES = (
    ("gateway_unavailable:", "See that the payment gateway answers and takes the shop's key"),
    ("is locked by", "End the transaction that holds the row: `SELECT pg_terminate_backend(…)` with that process"),
    ("would break", "Put the row right that was changed by hand: `checkout verify` says what differs"),
    ("was free", "Raise CHECKOUT_DATABASE_POOL_SIZE, or find what holds the worker's connections"),
    ("does not answer", "Bring that server back, or mend the setting by which this worker reaches it"),
    ("", "Mend what it says; the worker's log has more"),
)


def _untaken(found: InspectedCheckout) -> str | None:
    since = found.workflow.untaken_since
    if since is None or found.server_time - since < TAKEN_WITHIN:
        return None
    return f"No worker has taken the workflow's next task since {rfc3339(since)}."


def _failing(one: PendingActivity, checkout_id: str) -> Finding:
    cause = next(remedy for says, remedy in _CAUSES if says in (one.last_failure or ""))
    following = "" if one.next_try_at is None else f" The next attempt is at {rfc3339(one.next_try_at)}."
    often, last = _times(max(1, one.attempt - 1)), (one.last_failure or "").rstrip(" .:")
    return Finding(
        code="activity_failing",
        detail=f"{one.activity} has failed {often}, the last time with: {last}.{following}",
        remedy=f"{cause}: it goes on by itself then, and at once by `checkout retry {checkout_id}`.",
    )


def _behind(evidence: Evidence) -> list[Finding]:
    """Money that moved at the gateway while the checkout waits: no event has told of it."""
    books = {one.gateway_reference: one for one in evidence.found.timeline.payments}
    found: list[Finding] = []
    for one in evidence.gateway:
        known = books.get(one.payment_id)
        if known is None or one.currency is None:
            continue
        theirs, ours = (one.authorized, one.captured), (known.authorized, known.captured)
        if theirs != ours:
            detail = (
                f"The gateway has authorized {_money(one.authorized, one.currency)} and captured "
                f"{_money(one.captured, one.currency)} of payment {one.payment_id}; the shop has not heard of it."
            )
            remedy = (
                "See that the gateway's events arrive at /payments/webhooks, and have it send this one again. The "
                "checkout asks by itself at its deadline."
            )
            found.append(Finding(code="books_behind", detail=detail, remedy=remedy))
    return found


def _money(amount: int | None, currency: str) -> str:
    return money_text(amount or 0, currency)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
