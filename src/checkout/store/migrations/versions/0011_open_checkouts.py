"""Checkouts that run are listed without a look at those that ended."""

from checkout.store.migrations.scripts import run_scripts

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Order the index as the list is."""
    run_scripts("0011")
