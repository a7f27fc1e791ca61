"""Ends a checkout whose own workflow cannot: gives back what it holds, or completes what is paid."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.audit import Assessment, Remedy, Repaired, RepairInput
from checkout.domain.words import Outcome, Phase, State
from checkout.workflows import search
from checkout.workflows.announcing import Announcer
from checkout.workflows.cancellation import uninterrupted
from checkout.workflows.failures import definite, refuse, sentence
from checkout.workflows.phases import In, Out, run_local_first, run_regular
from checkout.workflows.policies import DATABASE, GATEWAY, UNDO_GATEWAY, Policy
from checkout.workflows.saga import AlreadyCompleted, Saga

_PHASES = list(Phase)


@workflow.defn(name=contract.REPAIR_WORKFLOW)
class Repair:
    """One checkout without its workflow, from wherever that stopped to its end. Ends Completed, and only when done.

    It runs the compensations of the checkout's own workflow, in the same order, so that what holds for those holds
    here: a late attempt of the gone run is fenced, and two that undo at once undo once. What cannot go on stays open,
    and shows in the UI with its last failure. A Cancel from Temporal is only noted: somebody has to do this.
    """

    @workflow.init
    def __init__(self, given: RepairInput) -> None:
        self._given = given
        self._announcer = Announcer()
        self._saga = Saga(
            on_change=self._undoes,
            on_result=lambda result: self._announcer.announce(result.announcement),
            pause=timedelta(seconds=given.refused_pause),
        )
        self._found = Assessment(Remedy.NONE)
        self._doing = "Looking at it"
        self._notes: list[str] = []

    @workflow.run
    @uninterrupted
    async def run(self, _given: RepairInput) -> Repaired:
        """What it needs is looked at anew, then done, then said."""
        self._describe()
        self._found = found = await self._regular(contract.ASSESS_GONE, self._given, UNDO_GATEWAY)
        outcome: Outcome | None = None
        if found.remedy is Remedy.FINISH:
            outcome = await self._finish()
        if found.undoing is not None and outcome is None:
            outcome = await self._undo(found.undoing)
        if found.remedy is Remedy.UNLOCK:
            await self._regular(contract.UNLOCK_STRAY, self._given, DATABASE)
        return await self._end(outcome)

    async def _finish(self) -> Outcome | None:
        """Runs the phases that are left of a paid checkout; None where one of them cannot be done any more."""
        self._doing = "Completing it: it is paid"
        self._describe()
        which = m.PhaseInput(self._given.checkout_id, self._given.cart_id)
        try:
            if self._found.state is State.CAPTURING:
                await self._regular(contract.PAYMENT_CAPTURE, which, GATEWAY)
            committed = await run_local_first(
                contract.STOCK_COMMIT,
                which,
                DATABASE,
                until=None,
                interrupted=lambda: False,
                on_trouble=self._note,
            )
        except FailureError as error:
            if definite(error) is None:
                raise
            self._note(f"it cannot be completed: {sentence(error)}")
            return None
        self._announcer.announce(committed.announcement)
        return Outcome.COMPLETED

    async def _undo(self, undoing: m.CompensationInput) -> Outcome:
        """Runs the compensations of the phases that were begun; of all where there is no row to tell."""
        last = len(_PHASES) if self._found.phase is None else _PHASES.index(self._found.phase) + 1
        for phase in _PHASES[:last]:
            self._saga.register(phase)
        workflow.upsert_search_attributes([search.STATE.value_set(State.COMPENSATING.value)])
        try:
            await self._saga.undo(undoing)
        except AlreadyCompleted:
            return Outcome.COMPLETED
        return undoing.outcome

    async def _end(self, outcome: Outcome | None) -> Repaired:
        """The one place where a repair ends, whatever was done."""
        found = self._found
        done = Repaired(self._given.checkout_id, found.remedy, outcome, found.fate, found.state)
        if found.remedy is not Remedy.NONE:
            await self._regular(contract.NOTE_REPAIR, done, DATABASE)
        if outcome is not None:
            failed = [] if outcome is Outcome.COMPLETED else [search.FAILURE.value_set(_code(found))]
            workflow.upsert_search_attributes([search.STATE.value_set(outcome.value), *failed])
        self._doing = "Nothing was to be done" if found.remedy is Remedy.NONE else "Done"
        self._describe(outcome)
        await self._announcer.settle()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return done

    async def _regular(self, activity: contract.ActivityContract[In, Out], argument: In, policy: Policy) -> Out:
        return await run_regular(activity, argument, policy, until=None, interrupted=lambda: False)

    # -- what may be asked of it ---------------------------------------------------------------------------------

    @workflow.update(name=contract.RESOLVE)
    async def resolve(self, request: m.ResolveRequest) -> None:
        """Answers once the compensation counts as done by hand."""
        self._note(f"{request.compensation} done by hand by {request.who}")
        await self._saga.resolve(request)

    @resolve.validator
    def _may_resolve(self, request: m.ResolveRequest) -> None:
        refuse(self._saga.refuses_resolve(request))

    @workflow.signal(name=contract.RETRY)
    def retry(self) -> None:
        """Ops have mended what was refused: it is tried again at once."""
        self._saga.retry_now()

    def cancel_requested(self) -> None:
        """A Cancel from Temporal."""
        self._note("a Cancel from Temporal was ignored: what the checkout holds has to be given back")

    # -- what ops read -------------------------------------------------------------------------------------------

    def _undoes(self, running: list[str], trouble: str | None) -> None:
        names = ", ".join(f"`{name}`" for name in running) or "what it held is given back"
        self._doing = f"Giving back: {names}" + (f"; last trouble: {trouble}" if trouble else "")
        self._describe()

    def _note(self, note: str) -> None:
        self._notes.append(note)
        self._describe()

    def _describe(self, outcome: Outcome | None = None) -> None:
        found, given = self._found, self._given
        rows = [
            ("Checkout", f"`{given.checkout_id}`"),
            (
                "Its workflow",
                f"`{given.workflow_id}`, run `{given.run_id or 'unknown'}`: {found.fate or 'not seen yet'}",
            ),
            ("Where it stood", found.state.label if found.state else "no row of it"),
            ("Remedy", found.remedy.value),
            ("Outcome", outcome.value if outcome else ""),
        ]
        table = "\n".join(f"| {name} | {value} |" for name, value in rows if value)
        notes = "".join(f"\n- {note}" for note in self._notes)
        workflow.set_current_details(f"**{self._doing}**\n\n| | |\n|---|---|\n{table}\n{notes}")


def _code(found: Assessment) -> str:
    failure = None if found.undoing is None else found.undoing.failure
    return "" if failure is None else failure.code
