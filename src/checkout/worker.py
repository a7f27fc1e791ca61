"""Registers workflows and activities, and nothing else."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Interceptor, PollerBehaviorAutoscaling, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from checkout.activities.audit import Auditing
from checkout.activities.by_hand import ByHand
from checkout.activities.cart_validation import CartValidation
from checkout.activities.extension import Extension
from checkout.activities.inventory_reservation import InventoryReservation
from checkout.activities.notify import Notifying
from checkout.activities.order_creation import OrderCreation
from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.payment_capture import PaymentCapture
from checkout.activities.payment_check import PaymentCheck
from checkout.activities.price_lock import PriceLock
from checkout.activities.reconciliation import Reconciling
from checkout.activities.refund import Refunding
from checkout.activities.repair import Repairing
from checkout.activities.stock_commit import StockCommit
from checkout.activities.unowed import Unowed
from checkout.activities.webhooks import KEPT, Webhooks
from checkout.domain.contract import TASK_QUEUE
from checkout.listeners.registry import NOBODY, Listeners, Shop
from checkout.payments.port import Gateway
from checkout.runtime.database import Sessions
from checkout.runtime.mail import Mailer
from checkout.runtime.outgoing import PUBLIC, Outgoing
from checkout.runtime.workflow_runs import NamingRunner
from checkout.store.pricing import EURO_PRICES, PriceRules
from checkout.workflows.audit import Audit
from checkout.workflows.checkout import Checkout
from checkout.workflows.notify import Notify
from checkout.workflows.reconciliation import Reconciliation
from checkout.workflows.refund import Refund
from checkout.workflows.repair import Repair
from checkout.workflows.unowed import UnowedMoney
from checkout.workflows.webhook import Webhook

WORKFLOWS: list[type[Any]] = [Checkout, Notify, Webhook, UnowedMoney, Refund, Reconciliation, Audit, Repair]

#: How long a worker that is told to stop lets its activities end; what is still running is tried again elsewhere.
GRACE = timedelta(seconds=10)


def create_activities(
    sessions: Sessions,
    gateway: Gateway,
    rules: PriceRules = EURO_PRICES,
    *,
    listeners: Listeners = NOBODY,
    mailer: Mailer | None = None,
    outgoing: Outgoing = PUBLIC,
    webhooks_kept: timedelta = KEPT,
) -> list[Callable[..., Any]]:
    """Every activity, on the database, the payment gateway and the price rules that it uses.

    ``listeners`` hear of the checkouts' events, and send e-mails by the ``mailer``; webhooks go ``outgoing``, and
    are kept for so long after their end.
    """
    validation = CartValidation(sessions, listeners)
    reservation = InventoryReservation(sessions)
    prices = PriceLock(sessions, rules)
    authorization = PaymentAuthorization(sessions, gateway)
    orders = OrderCreation(sessions, rules, listeners)
    capture = PaymentCapture(sessions, gateway)
    check = PaymentCheck(sessions, gateway)
    commit = StockCommit(sessions, listeners)
    refunding = Refunding(sessions, gateway)
    webhooks = Webhooks(sessions, outgoing, listeners, webhooks_kept)
    reconciling = Reconciling(sessions, gateway)
    repairing = Repairing(sessions, gateway)
    return [
        *(validation.validate, validation.unlock),
        *(reservation.reserve, reservation.release),
        *(prices.lock, prices.discard),
        *(authorization.authorize, authorization.void),
        *(orders.create, orders.cancel),
        *(capture.capture, capture.refund),
        *(commit.commit, commit.restock),
        *(check.approval, check.funds),
        Unowed(sessions, gateway).give_back,
        ByHand(sessions).settle,
        Extension(sessions).record,
        *(refunding.reserve, refunding.give_back),
        Notifying(listeners, Shop(sessions, mailer)).tell,
        *(webhooks.plan, webhooks.deliver, webhooks.give_up),
        *(reconciling.find, reconciling.settle, reconciling.note),
        Auditing(sessions).find,
        *(repairing.assess, repairing.unlock, repairing.note),
    ]


def workflow_runner(*, sandboxed: bool = False) -> WorkflowRunner:
    """What workflows run in, the same for worker and replay.

    The SDK's sandbox loads the workflow's modules anew for each run, so that runs share no state, and refuses what is
    not deterministic. It costs more than the workflow itself, so a worker runs without it. That is safe because the
    modules of ``workflows`` and ``domain`` keep nothing that changes (a test reads them for it), and because the tests
    of the workflow alone and the replay of every history run ``sandboxed``: a clock or a random number is refused
    there.
    """
    if not sandboxed:
        return NamingRunner()
    # The domain is not loaded anew, so that its classes are the same inside and outside.
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("checkout.domain"))


def create_worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    *,
    task_queue: str = TASK_QUEUE,
    grace: timedelta = GRACE,
    cached: int = 1000,
    interceptors: Sequence[Interceptor] = (),
    sandboxed: bool = False,
) -> Worker:
    """A worker for all workflows and the given activities, on one queue: so activities can be dispatched eagerly.

    ``cached`` workflows are kept in memory; others are rebuilt from their history when something happens to them.
    ``sandboxed`` is for tests. It turns off the SDK's guard against workflow code that takes two seconds of wall clock:
    on a busy machine the sandbox itself may take them, and a workflow interrupted there can stay in the cache for good.
    """
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=activities,
        workflow_runner=workflow_runner(sandboxed=sandboxed),
        debug_mode=sandboxed,
        graceful_shutdown_timeout=grace,
        max_cached_workflows=cached,
        interceptors=interceptors,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
