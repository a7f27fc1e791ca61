"""Three buyers pay for the last unit at once: one order, and of the other two the shop has no money."""

import asyncio
import os
import random

import pytest
from temporalio.client import WorkflowFailureError

from checkout.domain.words import State
from tests.support.invariants import check_invariants
from tests.workflows.engine import Run
from tests.workflows.outcome import assert_all_or_nothing
from tests.workflows.stage import APPROVAL, BANK, PAYPAL, VISA, Stage

ROUNDS = int(os.environ.get("CHAOS_RUNS") or 8)
FIRST = int(os.environ.get("CHAOS_SEED") or 1)


async def _round(stage: Stage, seed: int) -> None:
    """The buyers pay by methods of the seed; who has to approve, or to transfer, does so."""
    chance = random.Random(seed)
    sku = f"LAST-{seed}"
    await stage.shop.product(sku, price=1500, stock=chance.choice([{"FRA": 1}, {"LYS": 1}]))
    tokens = [chance.choice([VISA, VISA, APPROVAL, PAYPAL, BANK]) for _ in range(3)]
    baskets = [await stage.cart(**{sku: 1}) for _ in tokens]

    async def buy(number: int) -> Run:
        run, view = await stage.start(baskets[number], tokens[number])
        if view.state in {State.REQUIRES_ACTION, State.AWAITING_FUNDS}:
            await stage.act(run, "funds_received" if tokens[number] == BANK else "approve")
            await stage.changed(run)
        await asyncio.wait([asyncio.ensure_future(_over(run))])
        return run

    runs = await asyncio.gather(*(buy(number) for number in range(3)))
    rows = [await assert_all_or_nothing(stage, run) for run in runs]
    assert sorted(row["state"] for row in rows) == ["completed", "failed", "failed"], f"seed {seed}: {tokens}"
    for row, run in zip(rows, runs, strict=True):
        if row["state"] == "failed":
            assert row["failure"]["code"] == "insufficient_stock"
            assert await stage.ledger(run) == []
    left = "SELECT sum(on_hand), sum(reserved) FROM stock WHERE variant_id = :v"
    assert await stage.shop.rows(left, v=stage.shop.variants[sku]) == [(0, 0)]


async def _over(run: Run) -> None:
    try:
        await run.result()
    except WorkflowFailureError:
        return


@pytest.mark.timeout(300 + ROUNDS)
async def test_the_last_unit_is_sold_once(stage: Stage) -> None:
    seeds = list(range(FIRST, FIRST + ROUNDS))
    for first in range(0, len(seeds), 8):
        await asyncio.gather(*(_round(stage, seed) for seed in seeds[first : first + 8]))
    await check_invariants(stage.engine, await stage.ledger())
