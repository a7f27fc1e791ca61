"""Payments in every order: seeded runs on all that is real, each of which ends as a paid order or as nothing at all.

``CHAOS_RUNS`` and ``CHAOS_SEED`` say how many, and from which seed on; `make chaos-payments` sets them. Without
them the same runs are made each time.
"""

import asyncio
import os
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from checkout.api import database, engine
from checkout.payments.simulated import courier
from tests.chaos.acting import Acting
from tests.chaos.lanes import LANES, Lane, Theatre, theatre
from tests.chaos.plans import METHODS, plan

RUNS = int(os.environ.get("CHAOS_RUNS") or 300)
SEED = int(os.environ.get("CHAOS_SEED") or 1)
#: Processes that may share the runs.
PARTS = min(3, RUNS)
#: After so many failed runs the others say nothing new.
ENOUGH = 3


@dataclass
class Played:
    """What came of the runs: how many ended in which state (or because the gateway moved another amount than it was
    asked for) by which method, and those that broke a promise."""

    endings: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    acts: list[Acting] = field(default_factory=list)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A noisy machine is no reason for another answer; what becomes due anew is looked for soon."""
    monkeypatch.setattr(engine, "RPC_WAIT", 60)
    monkeypatch.setattr(database, "PATIENCE", 60)
    monkeypatch.setattr(courier, "LOOK", 0.5)


@pytest.mark.timeout(300 + RUNS)
@pytest.mark.parametrize("part", range(PARTS))
async def test_payments_in_every_order_end_as_an_order_or_as_nothing(database_url: str, part: int) -> None:
    seeds = range(SEED, SEED + RUNS)[part::PARTS]
    played = Played()
    async with theatre(database_url, lanes=min(LANES, len(seeds))) as stage:
        rest = iter(seeds)
        await asyncio.gather(*(_run_on(stage, lane, rest, played) for lane in stage.lanes))
        if not played.failures:
            await _check_all(stage, played)
    sys.stdout.write(f"\nseeds {seeds[0]} to {seeds[-1]}: {len(played.acts)} runs\n")
    for method in METHODS:
        ends = {state: count for (name, state), count in sorted(played.endings.items()) if name == method}
        sys.stdout.write(f"  {method}: {ends}\n")
    assert not played.failures, "\n\n".join(played.failures)


async def _run_on(stage: Theatre, lane: Lane, seeds: Iterator[int], played: Played) -> None:
    for seed in seeds:
        if len(played.failures) >= ENOUGH:
            return
        acting = Acting(stage, lane, plan(seed))
        played.acts.append(acting)
        try:
            played.endings[acting.plan.method, await acting.play()] += 1
        except Exception:  # noqa: BLE001 - whatever it is, it is told with the run that it comes from
            error = traceback.format_exc()
            # What is wrong in the store may be of another lane's run, which will be told of it too, or was.
            others = [one for one in played.acts if one is not acting and one.checkout_id and one.checkout_id in error]
            if acting.checkout_id in error or not others:
                played.failures.append(_told(acting, error))
            elif not any(one.checkout_id in failure for one in others for failure in played.failures):
                played.failures.append(_told(others[0], error))


async def _check_all(stage: Theatre, played: Played) -> None:
    """The guarantees over all runs; what breaks one is told with the run whose checkout it names."""
    try:
        await stage.check_all()
    except AssertionError as broken:
        named = [acting for acting in played.acts if acting.checkout_id in str(broken)] or played.acts[:1]
        played.failures += [_told(acting, str(broken)) for acting in named[:ENOUGH]]


def _told(acting: Acting, error: str) -> str:
    seed = acting.plan.seed
    done = "\n".join(f"  {line}" for line in acting.log)
    return (
        f"seed {seed} (again: make chaos-payments SEED={seed} RUNS=1), checkout {acting.checkout_id}\n"
        f"planned:\n{acting.plan}\nhappened:\n{done}\n{error}"
    )
