"""Payments that the gateway refused to give back and people settled by hand."""

from checkout.store.migrations.scripts import run_scripts

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column and the status."""
    run_scripts("0008")
