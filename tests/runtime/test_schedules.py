"""Schedules on the real server: made once by however many workers, kept up to date, and left alone where refused."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleOverlapPolicy
from temporalio.service import RPCError, RPCStatusCode

from checkout.domain.audit import AuditInput
from checkout.domain.contract import RECONCILIATION_WORKFLOW
from checkout.domain.reconciliation import ReconciliationInput
from checkout.runtime import schedules
from checkout.runtime.schedules import Recurring, keep_schedules, recurring, watch_schedules
from checkout.runtime.settings import load_settings
from tests.support.temporal import TemporalEnvironment
from tests.support.waiting import eventually


@pytest.fixture
async def mine(temporal_env: TemporalEnvironment) -> AsyncIterator[Recurring]:
    """A schedule under an id of this test's own."""
    one = Recurring(f"test-{secrets.token_hex(6)}", RECONCILIATION_WORKFLOW, ReconciliationInput(), 3600, "A test")
    yield one
    await keep_schedules(temporal_env.client, [_every(one, 0)], temporal_env.task_queue)


def _every(one: Recurring, seconds: int) -> Recurring:
    return Recurring(one.schedule_id, one.workflow, one.argument, seconds, one.summary)


async def _there(client: Client, one: Recurring) -> Any:
    return (await client.get_schedule_handle(one.schedule_id).describe()).schedule


async def test_several_workers_that_start_at_once_make_one(temporal_env: TemporalEnvironment, mine: Recurring) -> None:
    client, queue = temporal_env.client, temporal_env.task_queue
    await asyncio.gather(*(keep_schedules(client, [mine], queue) for _ in range(5)))
    schedule = await _there(client, mine)
    assert isinstance(schedule.action, ScheduleActionStartWorkflow)
    assert (schedule.action.workflow, schedule.action.task_queue) == (RECONCILIATION_WORKFLOW, queue)
    assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert [interval.every for interval in schedule.spec.intervals] == [timedelta(hours=1)]


async def test_another_interval_is_taken_and_a_pause_of_ops_stays(
    temporal_env: TemporalEnvironment, mine: Recurring
) -> None:
    client, queue = temporal_env.client, temporal_env.task_queue
    await keep_schedules(client, [mine], queue)
    await client.get_schedule_handle(mine.schedule_id).pause(note="the gateway is being moved")
    await keep_schedules(client, [_every(mine, 60)], queue)
    schedule = await _there(client, mine)
    assert [interval.every for interval in schedule.spec.intervals] == [timedelta(minutes=1)]
    assert (schedule.state.paused, schedule.state.note) == (True, "the gateway is being moved")


async def test_an_interval_of_zero_removes_it(temporal_env: TemporalEnvironment, mine: Recurring) -> None:
    client, queue = temporal_env.client, temporal_env.task_queue
    await keep_schedules(client, [mine], queue)
    for _ in range(2):
        await keep_schedules(client, [_every(mine, 0)], queue)
    with pytest.raises(RPCError) as caught:
        await _there(client, mine)
    assert caught.value.status is RPCStatusCode.NOT_FOUND


async def test_a_namespace_that_refuses_is_a_line_in_the_log(
    temporal_env: TemporalEnvironment, mine: Recurring, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise RPCError("no permission", RPCStatusCode.PERMISSION_DENIED, b"")

    monkeypatch.setattr(Client, "create_schedule", refuse)
    with capture_logs() as logs:
        await keep_schedules(temporal_env.client, [mine], temporal_env.task_queue)
    assert [(line["event"], line["schedule"]) for line in logs] == [("schedule_refused", mine.schedule_id)]
    assert temporal_env.client.namespace in logs[0]["remedy"]


async def test_a_server_that_is_away_is_asked_again(
    temporal_env: TemporalEnvironment, mine: Recurring, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, answers = Client.create_schedule, [RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED]

    async def away(self: Client, *given: Any, **options: Any) -> Any:
        if answers:
            raise RPCError("away", answers.pop(), b"")
        return await create(self, *given, **options)

    monkeypatch.setattr(schedules, "RETRY", 0)
    monkeypatch.setattr(Client, "create_schedule", away)
    await keep_schedules(temporal_env.client, [mine], temporal_env.task_queue)
    assert not answers
    assert await _there(temporal_env.client, mine)


async def test_one_that_is_lost_is_made_again_and_one_that_is_there_is_left(
    temporal_env: TemporalEnvironment, mine: Recurring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a Temporal that was put back from a backup; a pause of ops meanwhile stays."""
    monkeypatch.setattr(schedules, "WATCH", 0.05)
    client = temporal_env.client
    watching = asyncio.create_task(watch_schedules(client, [mine], temporal_env.task_queue))
    try:
        there = await eventually(lambda: _made(client, mine), "it is made")
        await client.get_schedule_handle(mine.schedule_id).pause(note="by ops")
        await asyncio.sleep(0.2)
        assert (await _there(client, mine)).state.note == "by ops"
        await client.get_schedule_handle(mine.schedule_id).delete()
        again = await eventually(lambda: _made(client, mine), "it is made again")
        assert (again.state.paused, again.spec.intervals) == (False, there.spec.intervals)
    finally:
        watching.cancel()


async def _made(client: Client, one: Recurring) -> Any:
    try:
        return await _there(client, one)
    except RPCError:
        return None


def test_the_settings_say_how_often_and_whether_it_mends() -> None:
    quiet, audit = recurring(load_settings())
    assert (quiet.every, quiet.argument) == (3600, ReconciliationInput(hours=24, fix=False))
    assert (audit.every, audit.argument) == (60, AuditInput(grace=30))
    changes = {"reconcile_every": 0, "reconcile_hours": 2, "reconcile_fix": True, "audit_every": 5, "audit_grace": 1}
    busy, audit = recurring(load_settings(**changes))
    assert (busy.every, busy.argument) == (0, ReconciliationInput(hours=2, fix=True))
    assert (audit.every, audit.argument) == (5, AuditInput(grace=1))
