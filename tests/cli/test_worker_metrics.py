"""The worker's ``/metrics``: its own and the SDK's, and for whom."""

import httpx

from checkout.cli.worker_metrics import worker_metrics
from checkout.runtime.settings import load_settings

TOKEN = "metrics-token-of-the-tests"


async def test_with_a_token_they_are_for_whoever_has_it() -> None:
    settings = load_settings(worker_metrics_port=0, metrics_token=TOKEN)
    async with worker_metrics(settings) as served, httpx.AsyncClient() as client:
        assert served.url is not None
        for wrong in ({}, {"Authorization": "Bearer " + TOKEN[:-1]}, {"Authorization": f"Basic {TOKEN}"}):
            refused = await client.get(served.url, headers=wrong)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert "metrics token" in refused.text
            assert "checkout_" not in refused.text
        shown = await client.get(served.url, headers={"Authorization": f"Bearer {TOKEN}"})
        assert shown.status_code == 200
        assert "checkout_started_total" in shown.text
    with_none = load_settings(worker_metrics_port=0)
    async with worker_metrics(with_none) as served, httpx.AsyncClient() as client:
        assert (await client.get(str(served.url))).status_code == 200
