"""The page about payments: its commands run as they stand there, and it knows every test card and every fault."""

import json
from pathlib import Path
from typing import get_args

from checkout.payments.simulated.faults import OPERATIONS, Kind
from checkout.payments.simulated.tokens import CARDS
from checkout.payments.stripe.declines import DECLINES
from tests.support.gateway import API_KEY, GatewayServer
from tests.support.walkthrough import steps_of, walk

PAGE = (Path(__file__).parents[2] / "docs" / "payments.md").read_text(encoding="utf-8")


def test_the_commands_run_as_they_stand(empty_gateway: GatewayServer, tmp_path: Path) -> None:
    secrets = tmp_path / ".checkout" / "secrets.json"
    secrets.parent.mkdir()
    secrets.write_text(json.dumps({"gateway_api_key": API_KEY}))
    steps = steps_of(PAGE.replace("http://127.0.0.1:8001", empty_gateway.url))
    assert len(steps) >= 3, "the page has lost its examples"
    walk(steps, tmp_path)


def test_every_card_and_every_fault_is_on_the_page() -> None:
    for word in (*CARDS, *OPERATIONS, *get_args(Kind)):
        assert word in PAGE, word


def test_every_decline_of_stripe_is_on_the_page() -> None:
    for code, ours in DECLINES.items():
        [row] = [line for line in PAGE.splitlines() if line.startswith("| `") and f"`{code}`" in line.split(" | ")[0]]
        assert f"`{ours}`" in row.split(" | ")[1], code
