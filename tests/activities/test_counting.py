"""What an attempt adds to the metrics, where no sale over HTTP shows it."""

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from checkout.activities.repair import Repairing
from checkout.domain.audit import Fate, Remedy, Repaired
from checkout.domain.words import Outcome
from checkout.runtime.database import Sessions
from checkout.runtime.metrics import exposition
from tests.activities.checking_out import CheckingOut, refusal
from tests.support.gateway import GatewayServer
from tests.support.metrics import Scrape
from tests.support.shop import Shop


def counted() -> Scrape:
    return Scrape.of(exposition().decode())


async def test_a_repair_by_its_remedy_and_the_workflow_s_fate(
    sessions: Sessions, gateway_server: GatewayServer
) -> None:
    before, labels = counted(), {"remedy": "undo", "fate": "terminated"}
    repaired = Repaired("chk_1_1", Remedy.UNDO, Outcome.FAILED, Fate.TERMINATED)
    await ActivityEnvironment().run(Repairing(sessions, gateway_server.adapter()).note, repaired)
    assert counted()("checkout_repairs_total", **labels) == before("checkout_repairs_total", **labels) + 1


async def test_what_is_tried_again_is_no_refusal(shop: Shop) -> None:
    await shop.product("MUG", 2500)
    checking = CheckingOut(shop, await shop.cart({"MUG": 1}))
    await checking.validate()
    await shop.execute("ALTER TABLE reservations RENAME TO away")
    before, retried = counted(), {"activity": "inventory_reservation", "result": "retried"}
    with pytest.raises(ApplicationError):
        await checking.reserve()
    after = counted()
    attempts = "checkout_activity_attempts_total"
    assert after(attempts, **retried) == before(attempts, **retried) + 1
    failures = [{one for one in scrape.samples.items() if "failures" in one[0][0]} for scrape in (before, after)]
    assert failures[0] == failures[1]


async def test_a_completed_checkout_that_is_left_alone_is_no_refused_compensation(shop: Shop) -> None:
    await shop.product("MUG", 2500)
    checking = CheckingOut(shop, await shop.cart({"MUG": 1}))
    await checking.complete()
    before, labels = counted(), {"compensation": "release_stock", "result": "refused"}
    assert (await refusal(checking.release())).type == "checkout_completed"
    assert counted()("checkout_compensations_total", **labels) == before("checkout_compensations_total", **labels)
