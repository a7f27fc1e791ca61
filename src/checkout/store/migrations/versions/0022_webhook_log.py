"""The log of webhooks is listed by status, and forgets what is old."""

from checkout.store.migrations.scripts import run_scripts

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    run_scripts("0022")
