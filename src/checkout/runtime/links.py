"""Addresses of pages about a checkout, for people."""

from checkout.runtime.settings import Settings


def temporal_url(settings: Settings, workflow_id: str, run_id: str) -> str | None:
    """A run in the Temporal UI, None where nobody said where that is. Ids are of our own making: nothing to escape."""
    if settings.temporal_ui_url is None:
        return None
    return (
        f"{settings.temporal_ui_url}/namespaces/{settings.temporal_namespace}/workflows/{workflow_id}/{run_id}/history"
    )
