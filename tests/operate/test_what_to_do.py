"""What the tools say is to be done, done: all that was stuck goes on. The last of these tests, since it mends."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.api.test_terminal import Terminal
from tests.e2e.getting_stuck import sku
from tests.e2e.stuck import StuckShop
from tests.operate.test_seen import inspected
from tests.operate.test_tools import terminal
from tests.support.waiting import eventually

__all__ = ["terminal"]

pytestmark = [pytest.mark.xdist_group("stuck"), pytest.mark.timeout(600)]

WHY = ("--reason", "the buyer called")
#: What each comes to once its cause is mended.
ENDS = {
    "row_locked": "awaiting_payment",
    "database_away": "completed",
    "gateway_away": "completed",
    "poison": "completed",
    "undoing_at_a_gateway_away": "cancelled",
    "gateway_refuses": "cancelled",
    "terminated": "failed",
}


async def test_all_go_on(stuck: StuckShop, ops: httpx.AsyncClient, terminal: Terminal) -> None:
    with psycopg.connect(stuck.database_url, autocommit=True) as database:
        database.execute("SELECT pg_terminate_backend(%s)", [stuck.held_by])
    stuck.cable.plug()
    key = {"Authorization": f"Bearer {stuck.environment['CHECKOUT_GATEWAY_API_KEY']}"}
    async with httpx.AsyncClient(timeout=60) as gateway:
        answer = await gateway.delete(f"{stuck.described()['gateway']['url']}/faults", headers=key)
        assert answer.is_success, answer.text
    told = stuck.command("verify")
    assert told.returncode == 1, told.stdout + told.stderr
    assert sku("poison") in told.stdout
    stuck.run("verify", "--repair")
    for name in ("gateway_away", "undoing_at_a_gateway_away", "poison", "database_away"):
        found = await terminal.result("retry", stuck.checkouts[name])
        # It may have gone on by itself in the meantime: then there is nothing to be tried.
        assert found.exit_code == 0 or "Nothing of this checkout waits" in " ".join(found.output.split()), found.output
    by_hand = ("--compensation", "void_payment", *WHY, "--done", "voided on the gateway's own pages")
    await terminal.run("resolve", stuck.checkouts["gateway_refuses"], *by_hand)
    await terminal.run("release", stuck.checkouts["terminated"], *WHY)

    states: dict[str, Any] = {}

    async def gone_on() -> bool:
        for name in ENDS:
            states[name] = (await inspected(ops, stuck.checkouts[name]))["state"]
        return states == ENDS

    try:
        await eventually(gone_on, "all go on", every=0.5, limit=90)
    except AssertionError:
        assert states == ENDS
    for name, state in ENDS.items():
        captured = [item["captured"] - item["refunded"] for item in await stuck.ledger_of(stuck.checkouts[name])]
        assert [amount for amount in captured if amount] == ([6533] if state == "completed" else []), name
