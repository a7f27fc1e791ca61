"""Caps on how many checkouts one buyer, and one address, runs at once."""

from checkout.store.migrations.scripts import run_scripts

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and what takes and frees places."""
    run_scripts("0015")
