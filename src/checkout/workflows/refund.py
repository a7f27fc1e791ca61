"""A refund after the sale: the amount is kept free, the gateway gives it back, the order says so."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from checkout.domain import contract
from checkout.domain.refunds import Refunded, RefundInput, RefundReserved, RefundStatus
from checkout.workflows import search
from checkout.workflows.cancellation import uninterrupted
from checkout.workflows.failures import definite
from checkout.workflows.phases import run_local_first, run_regular
from checkout.workflows.policies import DATABASE, UNDO_GATEWAY


@workflow.defn(name=contract.REFUND_WORKFLOW)
class Refund:
    """One refund of an order. It ends Completed with what went back, or Failed where nothing can, with a code.

    A gateway that does not answer is asked until it does: the refund stays open, and shows in the UI with its last
    failure. A Cancel from Temporal is only noted, because money may be on its way.
    """

    @workflow.init
    def __init__(self, refund: RefundInput) -> None:
        self._refund = refund
        self._reserved: RefundReserved | None = None
        self._notes: list[str] = []

    @workflow.run
    @uninterrupted
    async def run(self, _refund: RefundInput) -> Refunded:
        """Raises an ApplicationError whose type is the failure's code: nothing went back."""
        self._describe(RefundStatus.REQUESTED)
        try:
            self._reserved = await self._reserve()
            self._describe(RefundStatus.PENDING)
            refunded = await self._give_back()
        except FailureError as error:
            verdict = definite(error)
            if verdict is None:
                raise
            self._end(RefundStatus.REFUSED, f"`{verdict.type}`: {verdict.message}", verdict.type)
            raise ApplicationError(
                verdict.message,
                *verdict.details,
                type=verdict.type,
                non_retryable=True,
                category=verdict.category,
            ) from error
        self._end(RefundStatus.REFUNDED, f"{refunded.units} units are back in stock" if refunded.units else "")
        return refunded

    async def _reserve(self) -> RefundReserved:
        return await run_local_first(
            contract.RESERVE_REFUND,
            self._refund,
            DATABASE,
            until=None,
            interrupted=lambda: False,
            on_trouble=lambda trouble: self._describe(RefundStatus.REQUESTED, trouble),
        )

    async def _give_back(self) -> Refunded:
        return await run_regular(
            contract.REFUND_ORDER, self._refund, UNDO_GATEWAY, until=None, interrupted=lambda: False
        )

    def cancel_requested(self) -> None:
        """A Cancel from Temporal."""
        self._notes.append("a Cancel from Temporal was ignored: money may be on its way")
        self._describe(RefundStatus.PENDING if self._reserved else RefundStatus.REQUESTED)

    def _end(self, status: RefundStatus, note: str, code: str | None = None) -> None:
        failed = [] if code is None else [search.FAILURE.value_set(code)]
        workflow.upsert_search_attributes([search.STATE.value_set(status.value), *failed])
        self._describe(status, note)

    def _describe(self, status: RefundStatus, note: str = "") -> None:
        amount = f"{self._reserved.amount} {self._reserved.currency} (minor units)" if self._reserved else "undecided"
        notes = "".join(f"\n- {one}" for one in [*self._notes, *([note] if note else [])])
        workflow.set_current_details(
            f"**{status.value.capitalize()}**: order `{self._refund.order_reference}`, {amount}, "
            f"refund `{self._refund.refund_id}`\n{notes}"
        )
