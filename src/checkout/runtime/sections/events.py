"""Who hears of what happens to checkouts, and how e-mails and webhooks leave."""

from email.utils import parseaddr
from typing import Annotated, Self
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, BeforeValidator, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode

from checkout.runtime.setting_kinds import PREFIX, ExistingDirectory, Url, check_places, seconds, setting, split, text


def _smtp_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    parts = urlsplit(url)
    if url != "mailbox:" and (parts.scheme not in {"smtp", "smtps", "smtp+starttls"} or not parts.hostname):
        raise ValueError("not an SMTP URL")
    parts.port  # noqa: B018 - raises ValueError where it is none
    return value


def _sender(value: str) -> str:
    address = parseaddr(value)[1]
    if "@" not in address or "\n" in value or "\r" in value:
        raise ValueError("not an address")
    return value


def _locale(value: str) -> str:
    try:
        Locale.parse(value.replace("-", "_"))
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError("not a locale") from error
    return value


def _split_secret(value: SecretStr | None) -> list[str]:
    parts = value.get_secret_value().split(",") if value else []
    return [part.strip() for part in parts if part.strip()]


def _targets(value: SecretStr) -> SecretStr:
    for target in _split_secret(value):
        url, address = urlsplit(target), parseaddr(target)[1]
        chat = url.scheme in {"http", "https"} and url.hostname
        if not chat and (address != target or "@" not in target.strip("@")):
            raise ValueError("neither an address nor a URL")
    return value


class EventSettings(BaseSettings):
    """Listeners of the shop's own, and e-mails."""

    listeners: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(check_places)] = setting(
        (),
        "Modules of the shop's own that hear of events, or single functions of them, separated by commas",
        "module or module:function, importable by the worker",
    )
    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = text(
        None,
        "Mail server for the shop's e-mails; unset: none are sent. `mailbox:` keeps them in DATA_DIR/mailbox instead",
        "smtp://user:password@host:port (TLS where it is offered), smtp+starttls://… (TLS or nothing), smtps://…, "
        "or mailbox:",
    )
    mail_from: Annotated[str, AfterValidator(_sender)] | None = text(
        None, "Sender of the shop's e-mails", "an address such as Shop <shop@shop.example>"
    )
    mail_locale: Annotated[str, AfterValidator(_locale)] | None = text(
        None,
        "Language and country by which e-mails write amounts and dates; unset: that of the delivery's country",
        "a locale such as de-DE",
    )
    mail_templates: ExistingDirectory | None = setting(
        None, "Templates of the shop's own for e-mails, in place of ours of the same name", "a directory that exists"
    )

    notify_on_failure: Annotated[SecretStr, AfterValidator(_targets)] | None = setting(
        None,
        "Who is told of checkouts that failed, and of webhook endpoints that were disabled; separated by commas",
        "e-mail addresses, or URLs of chats that take Slack's JSON",
    )
    notify_refusals: bool = setting(
        False,
        "Whether NOTIFY_ON_FAILURE hears of what buyers do as well, such as declined cards",
        "true or false",
    )
    remind_abandoned_after: int | None = setting(
        None,
        "Seconds after a checkout has expired in which its buyer is reminded by e-mail, once for a cart; unset: never",
        "whole seconds, 1 to 2592000",
        ge=1,
        le=2_592_000,
    )
    resume_url: Url | None = text(
        None,
        "Where a reminded buyer goes on; `{cart_id}` in it becomes the cart's id",
        "an http or https URL with {cart_id} in it",
    )
    webhook_allow_private: bool = setting(
        False, "Whether webhooks may go to private addresses, this machine's among them", "true or false"
    )
    webhook_allow_http: bool = setting(
        False, "Whether webhooks may go without TLS (`checkout dev`: they may)", "true or false"
    )
    webhook_log_days: int = setting(
        30,
        "Days for which deliveries of webhooks are kept after their end, with what was answered",
        "whole days, 4 to 3650",
        ge=4,  # what is still tried, for three days, is no older
        le=3650,
    )
    events_behind_after: int = seconds(
        900, "Seconds for which a listener or a webhook may fail before `/health/checkout` says so", 259_200
    )

    @model_validator(mode="after")
    def _check_sender(self) -> Self:
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError(f"{PREFIX}SMTP_URL is set and {PREFIX}MAIL_FROM is not: who sends the e-mails?")
        if self.smtp_url is None and any("@" in target for target in self.notify_addresses):
            raise ValueError(f"{PREFIX}NOTIFY_ON_FAILURE names an address and {PREFIX}SMTP_URL is not set")
        if self.remind_abandoned_after is not None and (self.smtp_url is None or self.resume_url is None):
            raise ValueError(f"{PREFIX}REMIND_ABANDONED_AFTER needs {PREFIX}SMTP_URL and {PREFIX}RESUME_URL")
        if self.resume_url is not None and "{cart_id}" not in self.resume_url:
            raise ValueError(f"{PREFIX}RESUME_URL has no {{cart_id}} in it: which cart is to be resumed?")
        return self

    @property
    def notify_addresses(self) -> tuple[str, ...]:
        """The e-mail addresses of ``notify_on_failure``."""
        return tuple(target for target in _split_secret(self.notify_on_failure) if "://" not in target)

    @property
    def notify_chats(self) -> tuple[str, ...]:
        """The chats of ``notify_on_failure``; whoever has such a URL may write there."""
        return tuple(target for target in _split_secret(self.notify_on_failure) if "://" in target)
