"""What admins did, and what makes lists and statistics of checkouts cheap."""

from checkout.store.migrations.scripts import run_scripts

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, the columns and the indexes."""
    run_scripts("0004")
