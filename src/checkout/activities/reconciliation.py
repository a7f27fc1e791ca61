"""Compares the gateway's payments with the shop's, gives back what belongs to nothing, writes down what went back.

The gateway's word and the shop's are read one after the other while both go on. So what looks out of place is asked for
once more: a finding stands only by a payment that was read after its checkout had closed, which is final, and between
two readings of the shop's books.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import structlog

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway, people_have_to, settled_columns
from checkout.activities.judging import held, judge, kept
from checkout.domain import contract
from checkout.domain.reconciliation import (
    LISTED,
    SETTLED_TO_ZERO,
    Finding,
    ReconciliationInput,
    Settled,
    Unexplained,
)
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Payment, Refused
from checkout.payments.settle import settle_to_zero
from checkout.runtime.database import Sessions, in_transaction
from checkout.store import reconciling, refunds
from checkout.store.reconciling import Known

log = structlog.get_logger(__name__)

#: Payments that are compared by one statement.
PAGE = 100
#: How long after a bank transfer was begun late money is looked for, though the hours asked for are over.
LATE_MONEY = timedelta(days=30)


@dataclass(frozen=True)
class Reconciling:
    """Looks, and settles."""

    sessions: Sessions
    gateway: Gateway

    @performs(contract.FIND_UNEXPLAINED)
    async def find(self, given: ReconciliationInput) -> Unexplained:
        """Everything at the gateway that the shop cannot explain; a line in the log for each.

        Before that, payment tokens are erased that no checkout can use any more.
        Bank transfers that have ended are looked at for LATE_MONEY, whether an event told of them or not.
        """
        erased = await in_transaction(self.sessions, reconciling.erase_stale_tokens)
        since = datetime.now(UTC) - timedelta(hours=given.hours)
        read, count, findings = 0, 0, list[Finding]()
        async with at_gateway():
            async for page in self._pages(since):
                read += len(page)
                for finding in await self._compare(page):
                    log.warning("reconciliation_finding", **asdict(finding))
                    count += 1
                    if len(findings) < LISTED:
                        findings.append(finding)
        log.info("reconciled", hours=given.hours, payments=read, findings=count, tokens_erased=erased)
        return Unexplained(read, count, findings)

    @performs(contract.SETTLE_FINDING)
    async def settle(self, finding: Finding) -> Settled:
        """Void or refund all that the payment holds, where it still belongs to nothing; else 0, and nothing is done."""
        async with at_gateway():
            try:
                payment = await self.gateway.fetch(finding.payment_id)
                known = await self._known([payment])
                still = await self._confirmed(payment, known[payment.payment_id])
                if not any(one.kind in SETTLED_TO_ZERO for one in still):
                    return Settled(0)
                settled = await settle_to_zero(
                    self.gateway, finding.payment_id, AttemptKeys(payment.checkout_id, payment.attempt_id)
                )
            except Refused as refusal:
                raise people_have_to("give", finding.payment_id, refusal, checkout_id=finding.checkout_id) from None
            await self._record(known[payment.payment_id], settled)
        amount = held(payment) + kept(payment)
        log.warning("reconciliation_settled", **asdict(finding) | {"fixed": True})
        return Settled(amount)

    @performs(contract.NOTE_REFUND)
    async def note(self, finding: Finding) -> Settled:
        """Have the order say what somebody refunded at the gateway; no money moves. 0 where it says so already."""
        async with at_gateway():
            payment = await self.gateway.fetch(finding.payment_id)
            noted = await in_transaction(
                self.sessions,
                lambda session: refunds.note_elsewhere(
                    session, gateway=self.gateway.name, payment_id=payment.payment_id, refunded=payment.refunded
                ),
            )
        if noted:
            log.warning("refund_noted", payment_id=payment.payment_id, checkout_id=payment.checkout_id, amount=noted)
        return Settled(noted)

    async def _pages(self, since: datetime) -> AsyncIterator[list[Payment]]:
        page: list[Payment] = []
        async for payment in self.gateway.list_payments(since=since):
            page.append(payment)
            if len(page) == PAGE:
                yield page
                page = []
        transfers = await in_transaction(
            self.sessions,
            lambda session: reconciling.ended_transfers(
                session, self.gateway.name, since=datetime.now(UTC) - LATE_MONEY, until=since
            ),
        )
        for payment_id in transfers:
            try:
                page.append(await self.gateway.fetch(payment_id))
            except Refused as refusal:
                log.warning("payment_unknown_at_gateway", payment_id=payment_id, error=str(refusal))
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page

    async def _compare(self, page: Sequence[Payment]) -> list[Finding]:
        known = await self._known(page)
        findings: list[Finding] = []
        for payment in page:
            first = known[payment.payment_id]
            if judge(payment, first, first):
                findings += await self._confirmed(payment, first)
        return findings

    async def _confirmed(self, payment: Payment, first: Known) -> list[Finding]:
        """What stands when gateway and shop are asked once more, in this order."""
        again = await self.gateway.fetch(payment.payment_id)
        later = (await self._known([again]))[again.payment_id]
        return judge(again, first, later)

    async def _known(self, page: Sequence[Payment]) -> Mapping[str, Known]:
        wanted = [(payment.payment_id, payment.checkout_id) for payment in page]
        return await in_transaction(
            self.sessions, lambda session: reconciling.known_payments(session, self.gateway.name, wanted)
        )

    async def _record(self, known: Known, settled: Payment) -> None:
        checkout_id, attempt_id = known.checkout_id, known.attempt_id
        if checkout_id is None or attempt_id is None:
            return
        await in_transaction(
            self.sessions,
            lambda session: reconciling.record_settled(session, checkout_id, attempt_id, **settled_columns(settled)),
        )
