"""Keeps a set of child processes running: each starts when what it needs is ready, and again when it dies."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.process import ManagedProcess, last_lines

#: Seconds between two looks at the children: well inside the two seconds in which a dead one is started again.
LOOK = 0.1
#: Seconds in which a child has to become ready; a first start on a slow disk takes its time.
PATIENCE = 90
#: A child that dies so often before it was ready will not become it.
DEATHS = 3


class Condition(Enum):
    """Where a child stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"


@dataclass
class Child:
    """A process and what has to be ready before it starts. A ``job`` runs once: it is ready when it ended well."""

    process: ManagedProcess
    needs: Sequence["Child"] = ()
    job: bool = False
    condition: Condition = Condition.WAITING
    deaths: int = 0
    started_at: float = 0.0
    not_before: float = field(default=0.0, repr=False)

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.process.name

    def needs_ready(self) -> bool:
        """Whether all that it needs is ready, and has been since before it started."""
        return all(
            need.condition is Condition.READY and (need.job or need.started_at <= (self.started_at or time.monotonic()))
            for need in self.needs
        )


class Supervisor:
    """Runs children until it is asked to stop.

    ``started`` is told of each process that was begun, ``changed`` of each that is ready, ``died`` of each that ended
    without being asked, with how it ended; all are called between two looks, in the calling thread.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        started: Callable[[Child], None],
        ready: Callable[[Child], None],
        died: Callable[[Child, str], None],
    ) -> None:
        self._children = children
        self._started, self._ready, self._died = started, ready, died
        self._asked = 0

    def ask_to_stop(self) -> None:
        """From a signal handler: end the next look; a second time, stop without patience."""
        self._asked += 1

    @property
    def asked_to_stop(self) -> bool:
        """Whether ``ask_to_stop`` was called."""
        return self._asked > 0

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Look after the children until ``until()`` is true or ``ask_to_stop`` was called.

        Raises ServerFault where one dies three times before it is ready, is not ready in time, or cannot be started.
        """
        while not self._asked and not until():
            for child in self._children:
                self._look_at(child)
            if not self._asked:
                time.sleep(LOOK)

    def all_ready(self) -> bool:
        """Whether every child is."""
        return all(child.condition is Condition.READY for child in self._children)

    def stop(self) -> None:
        """End all children: first, and all at once, those that no other needs."""
        left = [child for child in self._children if child.process.pid is not None]
        while left:
            needed = {id(need) for child in left for need in child.needs}
            # Nobody who still runs needs these.
            last = [child for child in left if id(child) not in needed] or left
            for child in last:
                if self._asked > 1 and child.process.process is not None:
                    child.process.process.kill()
                else:
                    child.process.ask_to_stop()
            for child in last:
                child.process.stop()
            left = [child for child in left if child not in last]

    def _look_at(self, child: Child) -> None:
        process = child.process
        if child.condition is Condition.WAITING:
            if time.monotonic() >= child.not_before and child.needs_ready():
                self._start(child)
            return
        if child.condition is Condition.READY and (child.job or process.pid is not None):
            return
        if process.pid is None:
            self._ended(child)
        elif process.is_ready():
            child.condition = Condition.READY
            child.deaths = 0
            self._ready(child)
        elif time.monotonic() - child.started_at > PATIENCE:
            raise ServerFault(f"{child.name} was not ready after {PATIENCE} s. The end of {_log(child)}")

    def _start(self, child: Child) -> None:
        child.started_at = time.monotonic()
        child.process.start()
        child.condition = Condition.STARTING
        self._started(child)

    def _ended(self, child: Child) -> None:
        code = child.process.process.returncode if child.process.process is not None else None
        if child.job and code == 0:
            child.condition = Condition.READY
            self._ready(child)
            return
        was_ready = child.condition is Condition.READY
        self._died(child, "by signal " + str(-code) if code is not None and code < 0 else f"with exit code {code}")
        # A child that died because what it needs went away has not shown that it cannot start.
        if not was_ready and child.needs_ready():
            child.deaths += 1
            if child.deaths >= DEATHS:
                raise ServerFault(f"{child.name} ended {DEATHS} times before it was ready. The end of {_log(child)}")
        child.condition = Condition.WAITING
        child.not_before = time.monotonic() + 0.3 * child.deaths
        child.started_at = 0.0


def _log(child: Child) -> str:
    return f"{os.path.relpath(child.process.log)}:\n{last_lines(child.process.log)}"
