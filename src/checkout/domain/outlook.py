"""What a checkout waits for, until when, what comes then, and what ops can do about it: sentences, by its state."""

from dataclasses import dataclass

from checkout.domain.progress import Progress
from checkout.domain.times import to_the_second
from checkout.domain.words import State


@dataclass(frozen=True)
class Outlook:
    """Two sentences: what is waited for, and what ops can do, None where nothing is to be done any more."""

    waits: str
    ops: str | None


def outlook(progress: Progress) -> Outlook:
    """The outlook of a checkout as its workflow knows it."""
    return Outlook(_waits(progress), None if progress.state.closed else _ops(progress))


#: What it does in a state, or came to; compensating is said by what runs.
_DOES = {
    State.PENDING: "It is to lock and validate the cart",
    State.VALIDATING: "It locks and validates the cart",
    State.RESERVING: "It holds units for every line",
    State.LOCKING_PRICES: "It freezes the prices",
    State.AUTHORIZING: "It has the gateway authorize the total",
    State.REQUIRES_ACTION: "It waits for the buyer's approval at the gateway",
    State.AWAITING_PAYMENT: "It waits for the buyer to pay",
    State.CREATING_ORDER: "It makes the order",
    State.AWAITING_FUNDS: "It waits for the bank transfer",
    State.CAPTURING: "It has the gateway capture the total",
    State.COMMITTING: "It takes the units out of stock",
    State.COMPLETED: "The order is paid, and its units have left the stock",
    State.FAILED: "It failed, and everything is given back",
    State.EXPIRED: "Its time was over, and everything is given back",
    State.CANCELLED: "It was cancelled, and everything is given back",
}
#: What comes when its time is over.
_THEN = {
    State.AWAITING_FUNDS: "then its order is cancelled",
    State.REQUIRES_ACTION: "then the gateway is asked once more, and without an approval everything is given back",
}


def _waits(progress: Progress) -> str:
    state = progress.state
    if state is State.COMPENSATING:
        running = " and ".join(f"`{name}`" for name in progress.running) or "the compensations"
        return f"It gives everything back, to be {_ending(progress)}: {running}, tried until that succeeds."
    if state in {State.CREATING_ORDER, State.COMMITTING}:
        return f"{_DOES[state]}, and is tried until that succeeds."
    if state.closed:
        return f"{_DOES[state]}."
    if state in {State.AUTHORIZING, State.CAPTURING}:
        until = progress.tried_until
        rest = f", tried until {to_the_second(until)}: then everything is given back" if until else ""
        return f"{_DOES[state]}{rest}."
    then = _THEN.get(state, "then everything is given back")
    return f"{_DOES[state]}, until {to_the_second(progress.deadline)}: {then}."


def _ending(progress: Progress) -> str:
    return "over" if progress.outcome is None else progress.outcome.state.label.lower()


def _ops(progress: Progress) -> str:
    checkout_id, trouble = progress.checkout.checkout_id, progress.trouble or ""
    at_once = f"it goes on by itself then, at once by `checkout retry {checkout_id}`"
    if progress.state is State.COMPENSATING:
        refused = [name for name in progress.running if f"{name}: " in trouble]
        if not refused:
            return f"Where a pending activity fails, mend what its last failure names: {at_once}."
        return (
            f"The gateway refuses {' and '.join(refused)}, and is asked again every few minutes. Mend the cause: "
            f"{at_once}. Or settle the payment at the gateway, and say so by `checkout resolve {checkout_id} "
            f"--compensation {refused[0]} --reason … --done …`."
        )
    release = (
        f"`checkout release {checkout_id} --reason …` gives everything back."
        if progress.cancellable
        else "It can no longer be released: it goes on to its end."
    )
    return f"Mend what the last failure of the pending activity names: {at_once}. {release}" if trouble else release
