"""``python -m bench``: what the shop costs, as ratios within one run.

Absolute figures say more about the machine than about the shop; what is compared here was measured alternately, on the
same servers and the same worker.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.development import measure_dev
from bench.engine import measure_engine
from bench.flash import measure_flash
from bench.gateway import measure_gateway
from bench.hot import measure_hot
from bench.importing import measure_import
from bench.million import measure_million
from bench.purchase import measure_purchases
from bench.reads import measure_reads
from bench.report import Report
from bench.stack import Stack, running_stack


@dataclass(frozen=True)
class Run:
    """What a part that shares the servers is measured with."""

    stack: Stack
    directory: Path
    rounds: int
    count: int
    report: Report


async def _import(run: Run) -> None:
    measure_import(run.stack, run.directory, run.report)


#: The parts that share their servers, and those that bring their own.
TOGETHER: dict[str, Callable[[Run], Awaitable[None]]] = {
    "engine": lambda run: measure_engine(run.stack, run.directory, run.rounds, run.count, run.report),
    "purchase": lambda run: measure_purchases(run.stack, run.directory, run.rounds, run.count, run.report),
    "reads": lambda run: measure_reads(run.stack, run.directory, run.rounds, run.report),
    "hot": lambda run: measure_hot(run.stack, run.directory, run.rounds, run.report),
    "flash": lambda run: measure_flash(run.stack, run.directory, run.rounds, run.report),
    "gateway": lambda run: measure_gateway(run.stack, run.directory, run.rounds, run.count, run.report),
    "import": _import,
}
APART = ("million", "dev")
PARTS = (*TOGETHER, *APART)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds (3)")
    parser.add_argument("--count", type=int, default=150, help="checkouts in a round (150)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--plans", type=Path, help="of the part million: also write its queries' plans to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(PARTS)}")
    if arguments.rounds < 1 or arguments.count < 1:
        parser.error("--rounds and --count are 1 or more")
    return arguments


async def _measure(arguments: argparse.Namespace, directory: Path, report: Report) -> None:
    parts = arguments.parts or PARTS
    if set(parts) & TOGETHER.keys():
        async with running_stack(directory) as stack:
            run = Run(stack, directory, arguments.rounds, arguments.count, report)
            for part, measure in TOGETHER.items():
                if part in parts:
                    await measure(run)
    if "million" in parts:
        await asyncio.to_thread(measure_million, directory, report, arguments.plans)
    if "dev" in parts:
        measure_dev(directory, report)


def main() -> int:
    """Measure what was asked for, print it, and write it where ``--json`` says."""
    arguments = _arguments()
    report = Report()
    report.note(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="checkout-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # PostgreSQL may run as another user, and has to pass
        asyncio.run(_measure(arguments, directory, report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.figures, indent=2, default=str) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # The Temporal SDK's threads may crash an interpreter that shuts down in the ordinary way.
    os._exit(code)
