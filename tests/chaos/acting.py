"""Carries a plan out, brings the checkout to its end, and says what must be true by then."""

import asyncio
import contextlib
import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from checkout.domain.ids import new_checkout_id
from checkout.domain.messages import Limits
from checkout.store.payments import discard_attempt
from tests.chaos.lanes import Lane, Stuck, Theatre
from tests.chaos.plans import DISTURBED, Plan, Step
from tests.support.waiting import eventually
from tests.workflows.engine import Run, refusal
from tests.workflows.faults import Late, loses_its_answer
from tests.workflows.outcome import assert_all_or_nothing

#: A transfer has an hour here instead of three days, so that there are few looks for it to be waited for.
LIMITS = Limits(funds_timeout=3600, funds_poll=1800)
#: Beyond every time that a checkout has.
LONG = timedelta(hours=6)
#: Failures by which a checkout ends whose gateway moved another amount than it was asked for.
NOTICED = frozenset({"authorized_amount_differs", "captured_amount_differs"})
#: Real seconds that a moment is given before the next one begins, whatever of it is still under way; that the buyer
#: waits for a page; and after which a run that has not ended never will.
MOMENT, PAGE, END = 0.4, 1.0, 45.0


class Acting:
    """One run; ``log`` has each step with what came of it."""

    run: Run

    def __init__(self, theatre: Theatre, lane: Lane, plan: Plan) -> None:
        self.plan = plan
        self.log: list[str] = []
        self.checkout_id = ""
        self._theatre, self._lane, self._stage = theatre, lane, lane.stage
        self._url: str | None = None
        self._late: list[Late] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def play(self) -> str:
        """The whole run; gives the state that it ended in, or the failure of NOTICED. Raises AssertionError."""
        await self._begin()
        for moment in self.plan.moments:
            await self._all_at_once(moment)
        await self._end()
        for step in self.plan.after:
            await self._do(step)
        await self._settle()
        return await self._check()

    # -- what happens --------------------------------------------------------------------------------------------

    async def pay(self, token: str) -> str:
        """As the API does: a payment that the workflow does not take is discarded."""
        attempt = await self._stage.attempt(self.run, token)
        try:
            return (await self.run.pay(attempt.attempt_id)).state
        except (WorkflowUpdateFailedError, RPCError):
            async with self._stage.sessions.begin() as session:
                await discard_attempt(session, attempt.attempt_id)
            raise

    async def pay_twice(self, token: str) -> str:
        """From two tabs at once."""
        step = Step("pay", {"token": token})
        await asyncio.gather(self._do(step), self._do(step))
        return "both answered"

    async def act(self, outcome: str) -> str:
        """The buyer on the page that he was shown last, whether it is still the right one or not."""
        return await self._post({"outcome": outcome})

    async def transfer(self, share: float) -> str:
        """A part of the total, or more than it."""
        total = (await self._stage.row(self.run)).get("total") or 1
        return await self._post({"outcome": "funds_received", "amount": max(1, int(total * share))})

    async def confirm(self) -> str:
        return (await self.run.confirm()).state

    async def cancel(self, by: str) -> str:
        return (await self.run.cancel(by)).state

    async def extend(self, seconds: int) -> str:
        return str((await self.run.extend(seconds)).expires_at)

    async def to_deadline(self, seconds: float) -> str:
        """The clock goes on to so many seconds after the deadline that is set now."""
        expires_at = (await self.run.view()).expires_at
        assert expires_at is not None
        left = datetime.fromisoformat(expires_at) - await self.run.clock.now(self.run.handle)
        left += timedelta(seconds=seconds)
        if left > timedelta(0):
            await self._pass(left)
        return f"{max(0.0, left.total_seconds()):.1f} s passed"

    async def fault(self, **body: Any) -> str:
        await self._lane.fault(**body)
        return "on"

    async def loses_answer(self, activity: str) -> str:
        self._stage.faults.then(DISTURBED[activity], loses_its_answer)
        return "will"

    async def late_attempt(self, activity: str) -> str:
        self._late.append(late := Late())
        self._stage.faults.then(DISTURBED[activity], late)
        return "will"

    async def stuck_attempt(self, activity: str, call: int, when: str) -> str:
        self._late.append(stuck := Stuck(call, when))
        self._stage.faults.then(DISTURBED[activity], stuck)
        return "will"

    async def wake(self) -> str:
        """Every attempt that sleeps goes on."""
        sleeping, self._late = self._late, [late for late in self._late if not late.asleep]
        woken = [await late.wake() for late in sleeping if late.asleep]
        return ", ".join(str(getattr(error, "type", error)) for error in woken) or "nobody"

    # -- how it is done ------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        basket = await self._stage.cart()
        self.checkout_id = new_checkout_id(basket.cart_id)
        self._theatre.on[self.checkout_id] = self._lane
        changes: dict[str, Any] = {"checkout_id": self.checkout_id, "limits": LIMITS}
        if self.plan.express:
            self.run = await self._stage.launch(basket, self.plan.method, **changes)
        else:
            self.run, _ = await self._stage.start(basket, **changes)

    async def _all_at_once(self, moment: Any) -> None:
        tasks = {asyncio.create_task(self._do(step)) for step in moment}
        _, rest = await asyncio.wait(tasks, timeout=MOMENT)
        self._under_way |= tasks
        if rest:
            self.log.append(f"({len(rest)} still under way)")

    async def _do(self, step: Step) -> None:
        said = None
        while said is None:
            try:
                said = await getattr(self, step.what)(**step.how)
            except WorkflowUpdateFailedError as refused:
                said = refusal(refused)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    said = "ended before"
                elif error.status is not RPCStatusCode.FAILED_PRECONDITION:
                    raise
                else:
                    # The workflow task that was to take it in failed (why is looked at in the end), and is run again.
                    self.log.append(f"{step}: {error}")
        self.log.append(f"{step} -> {said}")

    async def _post(self, body: dict[str, Any]) -> str:
        url = await self._address()
        if url is None:
            return "no page was shown"
        async with self._lane.http.post(url, json=body) as answer:
            document = await answer.json()
            assert answer.status in {200, 409}, document
        return str(document.get("status") or document["error"]["code"])

    async def _address(self) -> str | None:
        """What the checkout shows, else what it showed before."""
        end = time.monotonic() + PAGE
        while True:
            action = (await self._stage.row(self.run)).get("next_action")
            if action is not None:
                self._url = str(action["url"])
            if self._url is not None or time.monotonic() > end:
                return self._url
            await asyncio.sleep(0.05)

    async def _pass(self, duration: timedelta) -> None:
        # Another step of time has taken this one's place, or the workflow has ended.
        with contextlib.suppress(RuntimeError, RPCError, TimeoutError):
            async with asyncio.timeout(10):
                await self.run.clock.fast_forward(self.run.handle, duration)

    async def _end(self) -> None:
        """All that was wrong is over, and time passes until the checkout has ended; who sleeps wakes up."""
        await self._lane.behave()
        if not self.plan.wakes_late:
            self.log.append(f"woken: {await self.wake()}")
        ended = asyncio.ensure_future(self.run.handle.result())
        limit = time.monotonic() + END
        while not ended.done() and time.monotonic() < limit:
            await self._pass(LONG)
            await asyncio.wait({ended}, timeout=1)
        if not ended.done():
            ended.cancel()
            raise AssertionError(f"it has not ended: {await self.run.view()}")
        with contextlib.suppress(WorkflowFailureError):
            await ended
        self.log.append(f"ended, woken: {await self.wake()}")
        _, unanswered = await asyncio.wait(self._under_way, timeout=END) if self._under_way else (set(), set())
        assert not unanswered, f"{len(unanswered)} steps were never answered"
        for task in self._under_way:
            task.result()

    async def _settle(self) -> None:
        """The gateway has told all, also what it did not send before, and what nobody owed has gone back."""
        await self._lane.behave()
        await self._lane.books(
            "UPDATE gateway.events SET due_at = clock_timestamp(), delivered_at = NULL WHERE answer LIKE 'dropped%'"
        )

        async def all_told() -> bool:
            return not await self._lane.books("SELECT 1 FROM gateway.events WHERE due_at IS NOT NULL LIMIT 1")

        async def all_returned() -> bool:
            left = "SELECT 1 FROM gateway.payments WHERE unowed <> returned AND checkout_id = %s"
            return not await self._lane.books(left, self.checkout_id)

        await eventually(all_told, "the shop has taken in all events", every=0.1)
        await eventually(all_returned, "what nobody owed has gone back", every=0.1)

    async def _check(self) -> str:
        row = await assert_all_or_nothing(self._stage, self.run)
        keys = {what: keys for what, keys in self._lane.gateway.keys.items() if len(keys) > 1}
        assert not keys, f"one operation was asked for by several keys: {keys}"
        answers = await self._lane.books(
            "SELECT DISTINCT answer FROM gateway.events WHERE answer NOT IN ('200', '204', '503')"
        )
        assert not answers, f"the shop answered events with {answers}"
        await self._held_one_authorization_at_a_time()
        await self._ran_without_a_fault()
        await self._theatre.check(self._lane)
        self.log.append(f"-> {row['state']}")
        failure = (row["failure"] or {}).get("code")
        return failure if failure in NOTICED else str(row["state"])

    async def _held_one_authorization_at_a_time(self) -> None:
        """An attempt is settled before another is confirmed, so a buyer's account is never charged twice, not for a
        moment."""
        holding: dict[str, str] = defaultdict(str)
        story = await self._lane.books(
            "SELECT e.payment_id, e.type FROM gateway.events e JOIN gateway.payments p USING (payment_id) "
            "WHERE p.checkout_id = %s ORDER BY e.created_at",
            self.checkout_id,
        )
        for payment_id, kind in story:
            holding[payment_id] = kind.removeprefix("payment.")
            held = [one for one, state in holding.items() if state in {"authorized", "captured"}]
            assert len(held) <= 1, f"two authorizations at once: {story}"

    async def _ran_without_a_fault(self) -> None:
        """No workflow task failed, but where something came in at the moment at which the workflow wanted to end."""
        async for event in self.run.handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                failed = event.workflow_task_failed_event_attributes
                assert failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, failed
