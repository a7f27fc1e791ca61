"""Importing a large product export."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.products import write_products
from bench.report import Report
from bench.stack import Stack

ROWS = 10_000


def measure_import(stack: Stack, directory: Path, report: Report) -> None:
    """Seconds and peak memory of `checkout import-products` for 10,000 rows, new and again, and for a tenth of them."""
    report.title(f"import-products, {ROWS:,} rows (aim: under 60 s, flat memory)")
    for rows, name in (ROWS // 10, "a tenth"), (ROWS, "new"), (ROWS, "again, unchanged"):
        export = write_products(directory / f"import-{rows}.csv", [(f"ROW-{rows}-{n}", 10) for n in range(rows)])
        began = time.perf_counter()
        with stack.log("import").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "checkout.cli.main", "import-products", str(export), "--warehouse", "main"],
                env=stack.environment,
                stdout=log,
                stderr=log,
            )
            _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        if status != 0:
            raise RuntimeError(f"import-products ended with {os.waitstatus_to_exitcode(status)}: see {log.name}")
        label = f"{name} ({rows:,} rows)"
        report.line(label, f"{took:.1f} s, peak {used.ru_maxrss / 1024:.0f} MB", **{f"import_{name}": took})
