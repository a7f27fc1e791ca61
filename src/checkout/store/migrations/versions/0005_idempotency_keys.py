"""What was answered to requests with an Idempotency-Key."""

from checkout.store.migrations.scripts import run_scripts

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    run_scripts("0005")
