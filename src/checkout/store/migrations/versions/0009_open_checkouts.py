"""Checkouts that run are listed without a look at those that ended."""

from checkout.store.migrations.scripts import run_scripts

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Order the index as the list is."""
    run_scripts("0009")
