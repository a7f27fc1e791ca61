"""Records the history of every path, or of those named, from the real stack: ``make histories [PATHS="NAME …"]``.

What is recorded is what production writes: a Temporal server, Postgres and the gateway, in real time, with the
production data converter.
"""

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from checkout.domain.contract import TASK_QUEUE
from checkout.listeners import Listeners
from checkout.runtime.temporal import connect
from tests.histories.beside import BESIDE, Beside, code_of
from tests.histories.paths import PATHS, Path
from tests.histories.repairs import REPAIRS
from tests.histories.store import file_of, write
from tests.support import servers
from tests.support.databases import fresh_database
from tests.support.temporal import temporal_settings
from tests.workflows.stage import stage_on

#: In place of process id and host name, which an SDK writes into histories.
IDENTITY = "recorder"


@dataclass(frozen=True)
class RealTime:
    """Time as it passes."""

    async def fast_forward(self, _: WorkflowHandle[Any, Any], duration: timedelta) -> bool:
        """Wait."""
        await asyncio.sleep(duration.total_seconds())
        return True

    async def now(self, _: WorkflowHandle[Any, Any]) -> datetime:
        """What time it is."""
        return datetime.now(UTC)


async def record(path: Path, client: Client) -> None:
    """Walk one path and keep its history. Raises RuntimeError where it ends as it should not."""
    with fresh_database() as database_url:
        async with stage_on(database_url, client, RealTime(), TASK_QUEUE, short_ttl=4) as stage:
            stage.listeners = Listeners(path.listens)
            async with contextlib.AsyncExitStack() as workers:
                if not path.workers:
                    await workers.enter_async_context(stage.worker())
                run = await path.drive(stage)
                with contextlib.suppress(WorkflowFailureError):
                    await run.handle.result()
            row = await stage.row(run)
            ended = (row["state"], (row["failure"] or {}).get("code"))
            if ended != (path.ends, path.code):
                raise RuntimeError(f"{path.name} ended {ended}, not {(path.ends.value, path.code)}: nothing recorded")
            write(path.name, await run.handle.fetch_history())


async def record_beside(path: Beside, client: Client) -> None:
    """The same for a workflow beside the checkout."""
    with fresh_database() as database_url:
        async with stage_on(database_url, client, RealTime(), TASK_QUEUE, short_ttl=4) as stage:
            stage.listeners = path.listeners
            async with stage.worker():
                handle = await path.drive(stage)
                code = await code_of(handle)
            if code != path.code:
                raise RuntimeError(f"{path.name} ended with {code}, not {path.code}: nothing recorded")
            write(path.name, await handle.fetch_history())


async def main(names: list[str]) -> int:
    """Record the named paths, all when none is named; gives the exit code."""
    every: list[Path | Beside] = [*PATHS, *BESIDE, *REPAIRS]
    known = {path.name: path for path in every}
    if unknown := sorted(set(names) - set(known)):
        print(f"no such path: {', '.join(unknown)}", file=sys.stderr)
        return 2
    client = await connect(temporal_settings(), identity=IDENTITY)
    for name in names or known:
        path = known[name]
        await (record(path, client) if isinstance(path, Path) else record_beside(path, client))
        print(f"recorded {file_of(name).name}")
    await asyncio.sleep(0.3)  # what the SDK's threads still have in flight ends by then
    return 0


if __name__ == "__main__":
    servers.begin_session()
    try:
        code = asyncio.run(main(sys.argv[1:]))
    finally:
        servers.end_session()
    time.sleep(0.3)
    sys.exit(code)
