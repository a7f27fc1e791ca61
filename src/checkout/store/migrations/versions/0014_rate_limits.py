"""What counts against the rate limits, for all processes of the API together."""

from checkout.store.migrations.scripts import run_scripts

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    run_scripts("0014")
