"""What was done by hand is kept where the reason is, and no message of a workflow carries either."""

from checkout.store.migrations.scripts import run_scripts

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    run_scripts("0017")
