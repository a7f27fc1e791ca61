"""How a checkout went: when it entered each state, what had to be tried again, what was undone."""

from checkout.store.migrations.scripts import run_scripts

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column, its triggers and the table."""
    run_scripts("0006")
