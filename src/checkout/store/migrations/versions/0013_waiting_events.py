"""Events of the gateway's that had no effect yet are counted without a look at the others."""

from checkout.store.migrations.scripts import run_scripts

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index of those that wait."""
    run_scripts("0013")
