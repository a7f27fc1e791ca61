"""${message}."""

from checkout.store.migrations.scripts import run_scripts

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """${message}."""
    run_scripts(${repr(up_revision)})
