"""A real Prometheus reads the shop: every query of the dashboard has series, every alert reads what it should."""

import json
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.deploy.test_monitoring import alerts, panels
from tests.e2e.storefront import CARD, Buyer, card
from tests.e2e.watched.stack import GROUP, STARTS, WatchedStack
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group(GROUP)
Buyers = Callable[[], Buyer]


@pytest.fixture(scope="module")
def prometheus(watched: WatchedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), watched.metrics) as running:
        yield running


async def a_day_in_a_minute(buyer: Buyers, skus: Iterator[str]) -> None:
    """Of everything that is counted something."""
    some = [await buyer().fill({next(skus): 1}) for _ in range(5)]
    await some[0].start(payment=CARD)
    await some[1].start(payment=card("tok_insufficientFunds"))
    await some[1].pay()
    await some[2].start(payment=card("tok_captureFails"))
    await some[3].start(payment=card("tok_gatewayDown"))
    short = await buyer().fill({next(skus): 999})
    assert (await short.start()).json()["code"] == "insufficient_stock"
    statuses = [(await some[4].start()).status_code for _ in range(STARTS + 1)]
    assert statuses[-1] == 429, statuses
    await some[4].checkout()
    await some[4].pay()
    for one in some:
        await one.until_closed()
        await one.checkout()  # the same once more, from the cache


async def test_every_query_of_the_dashboard_has_series(
    prometheus: Prometheus, buyer: Buyers, skus: Iterator[str]
) -> None:
    await eventually(lambda: _all_up(prometheus), "Prometheus has metrics of API and worker")
    await a_day_in_a_minute(buyer, skus)
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m").replace("[1h]", "[5m]")
            await eventually(partial(prometheus.query, expression), f"{panel['title']}: {expression}")


async def test_the_alerts_are_loaded_and_silent_in_a_shop_that_is_well(prometheus: Prometheus) -> None:
    await eventually(lambda: _all_up(prometheus), "Prometheus has metrics of API and worker")
    well = {"CheckoutOverdue", "CheckoutNotMoving", "CheckoutCompensationStuck", "CheckoutCompensationRefused"}
    well |= {"CheckoutWorkflowTasksFail", "CheckoutWebhookBacklog", "CheckoutPartAway", "CheckoutMetricsMissing"}
    for alert in alerts():
        found = await prometheus.query(alert["expr"])
        assert alert["alert"] not in well or found == [], (alert["alert"], json.dumps(found))


async def _all_up(prometheus: Prometheus) -> bool:
    return await prometheus.targets_up() == 2
