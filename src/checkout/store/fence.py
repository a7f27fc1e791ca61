"""The fence (G5): the one place where an activity attempt learns whether it may still act.

Every phase locks and checks the checkout's row in its own transaction (a gateway phase in one before and one after
each call). So a late attempt, of whatever run, can do nothing for a checkout that is being undone or closed, and
nothing twice for one that goes on: the database arbitrates, not the workflow's id.

Locks are always taken in this order, so that no two transactions wait for each other: the checkout's row, its cart, its
order, coupons and promotions by id, stock rows by (variant, warehouse); last, by a trigger when the checkout is closed,
its place (:mod:`checkout.store.places`).
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from checkout.domain.errors import AlreadyCompleted, DefiniteFailure, Failure, Fenced
from checkout.domain.messages import CartValidationInput, CompensationInput
from checkout.domain.words import FENCED, OnShortage, Phase, State
from checkout.runtime.database import sqlstate
from checkout.runtime.statements import Change, Session, Statement, together
from checkout.store.errors import CartNotFound, CartOrdered
from checkout.store.held import Held, HeldCart, HeldCheckout
from checkout.store.owner import Owner
from checkout.store.tables import Checkout
from checkout.store.webhooks import WANTED

Result = TypeVar("Result")

UNIQUE_VIOLATION = "23505"


async def wait_for_locks(session: Session, seconds: float) -> None:
    """Have this transaction wait that long for a lock, instead of the pool's default, before it fails (55P03)."""
    await _PATIENCE.run(session, {"milliseconds": str(round(seconds * 1000))})


async def begin(session: Session, given: CartValidationInput) -> Held:
    """Enter cart_validation: make the checkout's row, or meet it, and lock it and the cart.

    Raises DefiniteFailure ``cart_not_found``, ``cart_ordered``, and ``checkout_closing`` where another checkout holds
    the cart; Fenced when this one is being undone or closed already (its tombstone may have come first).
    """
    try:
        await _INSERT.run(session, _first_row(given))
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION and "uq_checkouts_running" in str(error.orig):
            raise _closing(given.cart_id) from None
        raise
    locked = await _lock(session, given.checkout_id)
    if locked is None or not Owner(given.session_id, given.customer_id).owns(
        locked[1].session_id, locked[1].customer_id
    ):
        raise CartNotFound(given.cart_id)
    held = _admit(*locked, Phase.CART_VALIDATION, Phase.CART_VALIDATION)
    if held.stored is None:
        if held.cart.order_reference is not None:
            raise CartOrdered(held.cart.order_reference)
        if held.cart.locked_by is not None:
            raise _closing(given.cart_id)
    return held


async def enter(session: Session, checkout_id: str, phase: Phase, *, key: str | None = None) -> Held:
    """Lock the checkout and its cart for a phase, and check that it may act.

    ``key`` is what the result is stored under, the phase's name by default (an attempt's id where a phase runs several
    times). Raises Fenced when the checkout is being undone, closed, unknown or no longer holds its cart, and
    DefiniteFailure ``out_of_order`` when the checkout stands at another phase and this one was not done.
    """
    checkout, cart = await _lock_known(session, checkout_id)
    if checkout.state != State.COMPLETED:
        _require_running(checkout, cart)
    return _admit(checkout, cart, phase, key or phase)


async def enter_running(session: Session, checkout_id: str) -> Held:
    """Lock the checkout and its cart for something beside the phases. Raises Fenced as :func:`enter` does."""
    checkout, cart = await _lock_known(session, checkout_id)
    _require_running(checkout, cart)
    return Held(checkout, cart, None)


def _admit(checkout: HeldCheckout, cart: HeldCart, phase: Phase, key: str) -> Held:
    """The checkout as held, when it may go on with the phase or has done it before."""
    state = State(checkout.state)
    stored = checkout.results.get(key)
    if state in FENCED and not (state is State.COMPLETED and stored is not None):
        raise Fenced(checkout.id, state)
    if stored is None and state.phase is not phase:
        raise DefiniteFailure(
            "out_of_order", f"{checkout.id} is {state}, not at {phase}", {"state": state, "phase": phase}, benign=False
        )
    return Held(checkout, cart, stored)


def _require_running(checkout: HeldCheckout, cart: HeldCart) -> None:
    if State(checkout.state) in FENCED:
        raise Fenced(checkout.id, checkout.state)
    if cart.locked_by != checkout.id:
        raise Fenced(checkout.id, "without its cart")


def _closing(cart_id: str) -> DefiniteFailure:
    detail = "the cart's last checkout is still giving back what it held: try again in a moment"
    return DefiniteFailure("checkout_closing", detail, {"cart_id": cart_id})


async def change(session: Session, held: Held, state: State, *also: Change, **columns: Any) -> int:
    """Write the checkout's state and columns, and when it was completed; gives the row's new version.

    ``also`` is what changes beside it, in the same statement.
    """
    return await _write(session, held.id, *also, state=state.value, phase=_phase_column(state), **columns)


async def finish(
    session: Session,
    held: Held,
    phase: Phase,
    state: State,
    result: Result,
    *also: Change,
    key: str | None = None,
    **columns: Any,
) -> Result:
    """Store what the phase answers and move the checkout on, as :func:`change` does; gives the result as stored.

    ``result`` is a dataclass of :mod:`checkout.domain.messages` with a field ``version``, which becomes the row's.
    """
    document = dataclasses.asdict(result)  # type: ignore[call-overload]
    del document["version"]
    version = await change(session, held, state, *also, result_key=key or phase.value, result=document, **columns)
    return dataclasses.replace(result, version=version)  # type: ignore[type-var]


@dataclass(frozen=True)
class Undoing:
    """A checkout that this transaction has locked to undo something of it.

    ``checkout`` is None when there is nothing to do: it is undone already, or its cart never existed. ``version`` is
    the row's, 0 without one.
    """

    checkout: HeldCheckout | None
    version: int


async def begin_compensation(session: Session, given: CompensationInput) -> Undoing:
    """Lock the checkout for a compensation and move it to ``compensating``.

    Where no phase has written the row yet, it is made in that state: a tombstone for a phase that is still on its way.
    Raises AlreadyCompleted: closed is absorbing.
    """
    held = await _lock(session, given.checkout_id)
    if held is None:
        await _INSERT.run(session, _tombstone(given))
        held = await _lock(session, given.checkout_id)
    if held is None:
        return Undoing(None, 0)
    checkout, _ = held
    state = State(checkout.state)
    if state is State.COMPLETED:
        raise AlreadyCompleted(given.checkout_id)
    if state.closed:
        return Undoing(None, checkout.version)
    if state is State.COMPENSATING:
        return Undoing(checkout, checkout.version)
    version = await _write(session, given.checkout_id, state=State.COMPENSATING.value, next_action=None)
    return Undoing(checkout, version)


async def _lock(session: Session, checkout_id: str) -> tuple[HeldCheckout, HeldCart] | None:
    """The checkout's row, then its cart's, both locked; PostgreSQL locks the rows of a join in the order of its tables.

    Where it had to wait for a lock it looks again, so both are the newest versions.
    """
    row = await _LOCK.row(session, {"checkout_id": checkout_id})
    if row is None:
        return None
    return HeldCheckout(*(row[name] for name in (*_CHECKOUT, "wanted"))), HeldCart(
        *(row[f"cart_{name}"] for name in _CART)
    )


async def _lock_known(session: Session, checkout_id: str) -> tuple[HeldCheckout, HeldCart]:
    locked = await _lock(session, checkout_id)
    if locked is None:
        raise Fenced(checkout_id, "unknown")
    return locked


def _first_row(given: CartValidationInput) -> dict[str, Any]:
    return _row(
        given,
        state=State.VALIDATING.value,
        phase=Phase.CART_VALIDATION.value,
        expires_at=datetime.fromisoformat(given.expires_at),
        on_shortage=given.on_shortage.value,
        attempts_left=given.payment_attempts,
    )


def _tombstone(given: CompensationInput) -> dict[str, Any]:
    phase = given.failure.phase if given.failure else Phase.CART_VALIDATION.value
    unknown = {"expires_at": None, "on_shortage": OnShortage.FAIL.value, "attempts_left": 0}
    return _row(given, state=State.COMPENSATING.value, phase=phase, **unknown)


def _row(given: CartValidationInput | CompensationInput, **columns: Any) -> dict[str, Any]:
    return {
        "id": given.checkout_id,
        "cart_id": given.cart_id,
        "session_id": given.session_id,
        "customer_id": given.customer_id,
        "workflow_id": given.workflow_id,
        "run_id": given.run_id,
        "locked_at": datetime.fromisoformat(given.locked_at),
        **columns,
    }


async def _write(session: Session, checkout_id: str, *also: Change, **columns: Any) -> int:
    """Write columns of the checkout's row; gives its new version."""
    update = _update(tuple(columns), completes=columns.get("state") == State.COMPLETED)
    given = {
        name: json.dumps(value) if name in _DOCUMENTS and value is not None else value
        for name, value in columns.items()
    }
    for beside in also:
        given |= beside.parameters
    statement = together(update, *(beside.sql for beside in also))
    return int(await statement.value(session, {**given, "checkout_id": checkout_id}))


def _phase_column(state: State) -> str | None:
    """What ``phase`` becomes; a completed checkout keeps showing the phase that it ended with."""
    return Phase.STOCK_COMMIT.value if state is State.COMPLETED else state.phase


def failure_document(failure: Failure | None) -> dict[str, Any] | None:
    """A failure as its JSON column holds it."""
    return None if failure is None else dataclasses.asdict(failure)


_CHECKOUT = tuple(field.name for field in dataclasses.fields(HeldCheckout) if field.name != "wanted")
_CART = tuple(field.name for field in dataclasses.fields(HeldCart))
#: What is written as JSON text: the columns that are documents, and a phase's answer.
_DOCUMENTS = {column.name for column in Checkout.metadata.tables["checkouts"].c if isinstance(column.type, JSONB)} | {
    "result"
}

_PATIENCE = Statement("SELECT set_config('lock_timeout', :milliseconds, true)")

_LOCK = Statement(f"""
SELECT {", ".join(f"k.{name}" for name in _CHECKOUT)}, {", ".join(f"c.{name} AS cart_{name}" for name in _CART)},
    {WANTED} AS wanted
FROM checkouts k JOIN carts c ON c.id = k.cart_id
WHERE k.id = :checkout_id
FOR NO KEY UPDATE
""")  # noqa: S608 - fixed words

# Nothing is inserted where the row is there already, or its cart does not exist.
_INSERT = Statement("""
INSERT INTO checkouts (id, cart_id, session_id, customer_id, workflow_id, run_id, state, phase, locked_at, expires_at,
    on_shortage, attempts_left, currency)
SELECT :id, c.id, :session_id, :customer_id, :workflow_id, :run_id, :state, :phase, :locked_at,
    CAST(:expires_at AS timestamptz), :on_shortage, :attempts_left, c.currency
FROM carts c WHERE c.id = :cart_id
ON CONFLICT (id) DO NOTHING
""")


@cache
def _update(names: tuple[str, ...], *, completes: bool) -> str:
    """The UPDATE of these columns; ``result_key`` and ``result`` together put an answer into ``results``.

    The trigger gives the row, in this very UPDATE, the version after the one that its expressions see.
    """
    changes = [
        f"{name} = CAST(:{name} AS jsonb)" if name in _DOCUMENTS else f"{name} = :{name}"
        for name in names
        if name not in {"result", "result_key"}
    ]
    if "result" in names:
        versioned = "CAST(:result AS jsonb) || jsonb_build_object('version', version + 1)"
        changes.append(f"results = results || jsonb_build_object(CAST(:result_key AS text), {versioned})")
    if completes:
        changes.append("completed_at = now()")
    return f"UPDATE checkouts SET {', '.join(changes)} WHERE id = :checkout_id RETURNING version"  # noqa: S608
