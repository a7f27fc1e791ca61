"""Registers workflows and activities, and nothing else."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Interceptor, PollerBehaviorAutoscaling, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.payment_capture import PaymentCapture
from checkout.domain.contract import TASK_QUEUE
from checkout.payments.port import Gateway
from checkout.runtime.database import Sessions
from checkout.workflows.checkout import Checkout

WORKFLOWS: list[type[Any]] = [Checkout]

#: How long a worker that is told to stop lets its activities end; what is still running is tried again elsewhere.
GRACE = timedelta(seconds=10)


def create_activities(sessions: Sessions, gateway: Gateway) -> list[Callable[..., Any]]:
    """Every activity, on the database and the payment gateway that it uses."""
    authorization = PaymentAuthorization(sessions, gateway)
    capture = PaymentCapture(sessions, gateway)
    return [
        authorization.authorize,
        authorization.void,
        capture.capture,
        capture.refund,
    ]


def workflow_runner() -> WorkflowRunner:
    """The sandbox in which workflows run, the same for worker and replay.

    The domain is pure and is not loaded anew for each run, so that its classes are the same inside and outside.
    """
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("checkout.domain"))


def create_worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    *,
    task_queue: str = TASK_QUEUE,
    grace: timedelta = GRACE,
    cached: int = 1000,
    interceptors: Sequence[Interceptor] = (),
) -> Worker:
    """A worker for all workflows and the given activities, on one queue: so activities can be dispatched eagerly.

    ``cached`` workflows are kept in memory; others are rebuilt from their history when something happens to them.
    """
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=activities,
        workflow_runner=workflow_runner(),
        graceful_shutdown_timeout=grace,
        max_cached_workflows=cached,
        interceptors=interceptors,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    )
