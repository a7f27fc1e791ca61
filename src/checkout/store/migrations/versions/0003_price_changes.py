"""When what prices come from changed, so that a start with another total than expected says what moved."""

from checkout.store.migrations.scripts import run_scripts

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its triggers."""
    run_scripts("0003")
