"""What ``deploy/`` brings for Prometheus and Grafana: rules that fire and are silent, pages that say what to do."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.prometheus import DEPLOY, program

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "checkout.json"


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


def cases() -> list[dict[str, Any]]:
    tests = yaml.safe_load((DEPLOY / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    return [case for test in tests for case in test["alert_rule_test"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts.test.yml"),
        ("check", "config", "prometheus.yml"),
        ("check", "config", "dev.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_own_tool_is_content(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=DEPLOY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_every_alert_is_tried_and_has_a_page(alert: dict[str, Any]) -> None:
    name = alert["alert"]
    tried = [bool(case["exp_alerts"]) for case in cases() if case["alertname"] == name]
    assert True in tried, f"{name} is never seen firing"
    assert False in tried, f"{name} is never seen silent"
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page.is_relative_to(ROOT / "docs" / "operate")
    assert page.read_text(encoding="utf-8").startswith(f"# Alert: {name}\n")
    assert f"({page.relative_to(ROOT / 'docs' / 'operate')})" in (ROOT / "docs/operate/alerts.md").read_text("utf-8")
    assert alert["labels"]["severity"] in {"page", "ticket"}


def test_every_page_of_an_alert_is_of_one() -> None:
    named = {ROOT / alert["annotations"]["runbook_url"] for alert in alerts()}
    assert set((ROOT / "docs/operate/runbooks").glob("*.md")) == named


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["description"]
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_what_is_asked_for_is_documented() -> None:
    """Metrics of ours, in alerts and dashboard, are those of the page; a histogram's parts are its own."""
    page = (ROOT / "docs/operate/metrics.md").read_text(encoding="utf-8")
    asked = [alert["expr"] for alert in alerts()]
    asked += [target["expr"] for panel in panels() for target in panel["targets"]]
    for name in {name for expression in asked for name in re.findall(r"\bcheckout_[a-z_]+\b", expression)}:
        assert f"`{re.sub('_(bucket|sum|count)$', '', name)}`" in page, name
