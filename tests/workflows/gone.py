"""Checkouts that stand still in one of their states, so that their workflow can be taken away; and their audit."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowHandle

from checkout.domain import contract
from checkout.domain.audit import Audited, AuditInput, Repaired
from checkout.domain.contract import ActivityContract
from checkout.domain.ids import repair_workflow_id
from checkout.domain.words import Phase, State
from checkout.payments.keys import AttemptKeys
from tests.support.waiting import eventually
from tests.workflows.engine import Run
from tests.workflows.fakes import Gate
from tests.workflows.faults import Late, breaks, waits
from tests.workflows.stage import APPROVAL, BANK, VISA, Stage


@dataclass
class Still:
    """A checkout that stands still: ``gate`` holds it, ``late`` is an attempt of it that wakes up whenever told."""

    run: Run
    gate: Gate = field(default_factory=Gate)
    late: Late | None = None


@dataclass(frozen=True)
class Stop:
    """Where a checkout is stopped: the state of its row (None: it has none), and how it is brought there.

    ``phase`` is the last one that was begun, by which its failure is named.
    """

    name: str
    state: State | None
    phase: Phase | None
    drive: Callable[[Stage], Awaitable[Still]]
    completes: bool = False


async def begin_audit(stage: Stage, *, grace: int = 0) -> WorkflowHandle[Any, Audited]:
    """An audit that has begun."""
    handle: WorkflowHandle[Any, Audited] = await stage.client.start_workflow(
        contract.AUDIT_WORKFLOW,
        AuditInput(grace),
        id=f"audit-{secrets.token_hex(6)}",
        task_queue=stage.task_queue,
        result_type=Audited,
    )
    return handle


async def audit(stage: Stage, *, grace: int = 0) -> Audited:
    """One audit, and the end of every repair that it began."""
    done = await (await begin_audit(stage, grace=grace)).result()
    for one in done.begun:
        await stage.client.get_workflow_handle(repair_workflow_id(one.checkout_id)).result()
    return done


def repair_of(stage: Stage, run: Run) -> WorkflowHandle[Any, Repaired]:
    """The repair of a checkout."""
    handle: WorkflowHandle[Any, Repaired] = stage.client.get_workflow_handle(
        repair_workflow_id(run.checkout.checkout_id), result_type=Repaired
    )
    return handle


async def stands(stage: Stage, run: Run, state: State) -> None:
    """Waits until the checkout's row says so."""

    async def there() -> bool:
        return bool((await stage.row(run)).get("state") == state)

    await eventually(there, f"the row of {run.checkout.checkout_id} is {state}")


def _waiting(state: State, **start: Any) -> Callable[[Stage], Awaitable[Still]]:
    async def drive(stage: Stage) -> Still:
        run, _ = await stage.start(**start)
        await stands(stage, run, state)
        return Still(run)

    return drive


def _in_phase(
    activity: ActivityContract[Any, Any], state: State | None, token: str = VISA
) -> Callable[[Stage], Awaitable[Still]]:
    """The phase's first attempt is late, the next one waits at the gate."""

    async def drive(stage: Stage) -> Still:
        gate, late = Gate(), Late()
        stage.faults.then(activity, late, *waits(gate))
        run = await stage.launch(token=token)
        await gate.reached.wait()
        if state is not None:
            await stands(stage, run, state)
        return Still(run, gate, late)

    return drive


async def _authorizing(stage: Stage) -> Still:
    """The gateway takes its time; the attempt goes on after the workflow is gone."""
    run = await stage.launch(token="tok_slow")
    await stands(stage, run, State.AUTHORIZING)
    return Still(run)


async def _captured(stage: Stage) -> Still:
    """The gateway has captured, and whoever asked it never learnt of it."""
    gate = Gate()

    async def captures(attempt: Callable[[], Awaitable[Any]]) -> Any:
        [(checkout, attempt_id, payment, total)] = await stage.shop.rows(
            "SELECT k.id, a.id, a.gateway_payment_id, k.total "
            "FROM checkouts k JOIN payment_attempts a ON a.id = k.attempt_id"
        )
        async with stage.gateway.adapter() as gateway:
            await gateway.capture(payment, amount=total, key=AttemptKeys(checkout, attempt_id).capture())
        await gate()
        return await attempt()

    stage.faults.then(contract.PAYMENT_CAPTURE, captures)
    run = await stage.launch(token=VISA)
    await gate.reached.wait()
    return Still(run, gate)


async def _compensating(stage: Stage) -> Still:
    gate = Gate()
    stage.faults.then(contract.RELEASE_STOCK, *waits(gate))
    run = await stage.launch(token="tok_captureFails")
    await gate.reached.wait()
    await stands(stage, run, State.COMPENSATING)
    return Still(run, gate)


async def _free(stage: Stage) -> Still:
    """Nothing is to pay, and all but the units is done."""
    await stage.shop.product("GIFT", price={"CHF": 0})
    await stage.shop.execute(
        "INSERT INTO shipping_options (currency, code, name, amount) VALUES ('CHF', 'standard', 'Standard', 0)"
    )
    gate = Gate()
    stage.faults.then(contract.STOCK_COMMIT, breaks, *waits(gate))
    run = await stage.launch(await stage.shop.cart({"GIFT": 1}, currency="CHF"))
    await gate.reached.wait()
    return Still(run, gate)


STOPS: list[Stop] = [
    Stop("validating", None, None, _in_phase(contract.CART_VALIDATION, None)),
    Stop(
        "reserving",
        State.RESERVING,
        Phase.INVENTORY_RESERVATION,
        _in_phase(contract.INVENTORY_RESERVATION, State.RESERVING),
    ),
    Stop(
        "locking_prices",
        State.LOCKING_PRICES,
        Phase.PRICE_LOCK,
        _in_phase(contract.PRICE_LOCK, State.LOCKING_PRICES),
    ),
    Stop("awaiting_payment", State.AWAITING_PAYMENT, Phase.PAYMENT_AUTHORIZATION, _waiting(State.AWAITING_PAYMENT)),
    Stop("authorizing", State.AUTHORIZING, Phase.PAYMENT_AUTHORIZATION, _authorizing),
    Stop(
        "requires_action",
        State.REQUIRES_ACTION,
        Phase.PAYMENT_AUTHORIZATION,
        _waiting(State.REQUIRES_ACTION, token=APPROVAL),
    ),
    Stop(
        "creating_order",
        State.CREATING_ORDER,
        Phase.ORDER_CREATION,
        _in_phase(contract.ORDER_CREATION, State.CREATING_ORDER),
    ),
    Stop("awaiting_funds", State.AWAITING_FUNDS, Phase.PAYMENT_CAPTURE, _waiting(State.AWAITING_FUNDS, token=BANK)),
    Stop("capturing", State.CAPTURING, Phase.PAYMENT_CAPTURE, _in_phase(contract.PAYMENT_CAPTURE, State.CAPTURING)),
    Stop("captured", State.CAPTURING, Phase.PAYMENT_CAPTURE, _captured, completes=True),
    Stop(
        "committing",
        State.COMMITTING,
        Phase.STOCK_COMMIT,
        _in_phase(contract.STOCK_COMMIT, State.COMMITTING),
        completes=True,
    ),
    Stop("free", State.COMMITTING, Phase.STOCK_COMMIT, _free, completes=True),
    Stop("compensating", State.COMPENSATING, Phase.PAYMENT_CAPTURE, _compensating),
]
