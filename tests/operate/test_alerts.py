"""A real Prometheus that reads a shop in which something is stuck: the alerts that are for it find it, and no other."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.deploy.test_monitoring import alerts
from tests.e2e.stuck import StuckShop
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("stuck"), pytest.mark.timeout(600)]

EXPRESSIONS = {alert["alert"]: alert["expr"] for alert in alerts()}
#: What each of them finds here, by the reasons for which checkouts are stuck.
FOUND = {
    "CheckoutOverdue": {"worker_gone"},
    "CheckoutNotMoving": {"row_locked", "gateway_away", "poison"},
    "CheckoutCompensationStuck": {"undoing_at_a_gateway_away", "gateway_refuses"},
    "CheckoutWorkflowTasksFail": {"other_code"},
}
SILENT = ("CheckoutWebhookBacklog", "CheckoutListenersBehind", "CheckoutPartAway", "CheckoutMetricsMissing")


@pytest.fixture(scope="module")
def prometheus(stuck: StuckShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    described = stuck.described()
    workers = [process["metrics"] for process in described.values() if process.get("metrics")]
    jobs = {"checkout-api": [f"{stuck.url}/metrics"], "checkout-worker": workers}
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), jobs) as running:
        yield running


@pytest.mark.parametrize("alert", FOUND)
async def test_it_finds_what_is_stuck(prometheus: Prometheus, alert: str) -> None:
    [series] = await eventually(partial(prometheus.query, EXPRESSIONS[alert]), alert)
    assert float(series["value"][1]) >= len(FOUND[alert])


async def test_a_refusal_of_the_gateway_is_counted(prometheus: Prometheus) -> None:
    """It was before Prometheus came; the alert fires on the next one, five minutes later."""
    refused = 'sum(checkout_compensations_total{compensation="void_payment", result="refused"}) > 0'
    await eventually(partial(prometheus.query, refused), "a refused compensation")


@pytest.mark.parametrize("alert", SILENT)
async def test_it_is_silent_about_what_is_well(prometheus: Prometheus, alert: str) -> None:
    await eventually(partial(prometheus.query, "checkout_up and on() checkout_started_total"), "metrics of both")
    assert await prometheus.query(EXPRESSIONS[alert]) == []
