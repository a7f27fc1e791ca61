"""The extended localstripe as the tests use it: a real process, a shop's adapter to it, a buyer, faults."""

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from checkout.payments.port import Payment
from checkout.payments.stripe.client import StripeGateway
from checkout.runtime.embedded.process import last_lines, launch
from tests.support.dev import until
from tests.support.http import steady_port

SECRET_KEY = "sk_test_of_the_tests_and_of_no_value"
WEBHOOK_SECRET = "whsec_of_the_tests"
RETURN_URL = "https://shop.example/done?checkout={checkout_id}"


class StripeServer:
    """A Stripe that forgets everything when it ends."""

    name = "stripe"

    def __init__(self, url: str) -> None:
        self.url = url

    def adapter(self, **options: Any) -> StripeGateway:
        """A shop's adapter to this Stripe."""
        return StripeGateway(SECRET_KEY, **{"webhook_secret": WEBHOOK_SECRET, "api_base": self.url} | options)

    def clear(self) -> None:
        """Forget all objects, keys and faults."""
        httpx.delete(f"{self.url}/_config/data").raise_for_status()

    def faulty(self, path: str, fault: str, count: int = 1) -> None:
        """Something goes wrong with the next requests to a path that ends so (see ``idempotency.Fault``)."""
        body = {"path": path, "fault": fault, "count": count}
        httpx.post(f"{self.url}/_config/faults", json=body).raise_for_status()

    def tell(self, url: str, secret: str = WEBHOOK_SECRET) -> None:
        """Send events there from now on."""
        body = {"url": url, "secret": secret}
        httpx.post(f"{self.url}/_config/webhooks/shop", json=body).raise_for_status()

    def post(self, path: str, **form: Any) -> dict[str, Any]:
        """A call of somebody else's, such as Stripe.js; gives the answer."""
        return self._call("POST", path, form)

    def get(self, path: str) -> dict[str, Any]:
        """An object as it is."""
        return self._call("GET", path, {})

    def _call(self, method: str, path: str, form: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        response = httpx.request(method, f"{self.url}/v1{path}", data=form, headers=headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def ledger(self, checkout_id: str | None = None) -> list[dict[str, Any]]:
        """What brought money since an hour ago, in the words of the simulated gateway's ledger, by the adapter."""
        async with self.adapter() as adapter:
            since = datetime.now(UTC) - timedelta(hours=1)
            payments = [payment async for payment in adapter.list_payments(since=since)]
        ours = [payment for payment in payments if checkout_id in {None, payment.checkout_id}]
        return [ledger_item(payment) for payment in ours if payment.authorized]


def ledger_item(payment: Payment) -> dict[str, Any]:
    """A payment as the invariant check reads it."""
    figures = ("payment_id", "checkout_id", "currency", "authorized", "captured", "refunded", "voided")
    return {name: getattr(payment, name) for name in figures} | {"status": payment.status.value}


async def act(payment: Payment, outcome: str) -> None:
    """The buyer on the page of his bank."""
    assert payment.next_action is not None
    async with httpx.AsyncClient() as buyer:
        response = await buyer.post(payment.next_action.url, json={"outcome": outcome})
    assert response.status_code == 200, response.text


@contextlib.contextmanager
def running_stripe(directory: Path) -> Iterator[StripeServer]:
    """The extended localstripe as a process of its own while the context lasts; it ends with this process, too."""
    port = steady_port()
    server = StripeServer(f"http://127.0.0.1:{port}")
    log = directory / "stripe.log"
    process = launch(
        [sys.executable, "-m", "tests.support.stripe", str(port)],
        log=log,
        environment={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    def answers() -> bool:
        assert process.poll() is None, f"localstripe ended:\n{last_lines(log, 30)}"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{server.url}/_config/3ds/none").status_code == 404
        return False

    try:
        until(answers, "localstripe does not answer")
        yield server
    finally:
        process.terminate()
        process.wait(30)
