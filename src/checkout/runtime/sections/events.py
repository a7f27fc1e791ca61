"""Who hears of what happens to checkouts, and how e-mails and webhooks leave."""

from email.utils import parseaddr
from typing import Annotated, Self
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, BeforeValidator, DirectoryPath, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode

from checkout.runtime.setting_kinds import PREFIX, seconds, setting, split, text


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


def _places(value: tuple[str, ...]) -> tuple[str, ...]:
    for place in value:
        if not all(name.isidentifier() for name in place.replace(":", ".", 1).split(".")):
            raise ValueError(f"{place!r} is no module")
    return value


class EventSettings(BaseSettings):
    """Listeners of the shop's own, and e-mails."""

    listeners: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_places)] = setting(
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
    mail_templates: DirectoryPath | None = setting(
        None, "Templates of the shop's own for e-mails, in place of ours of the same name", "a directory that exists"
    )

    webhook_allow_private: bool = setting(
        False, "Whether webhooks may go to private addresses, this machine's among them", "true or false"
    )
    webhook_allow_http: bool = setting(
        False, "Whether webhooks may go without TLS (`checkout dev`: they may)", "true or false"
    )
    events_behind_after: int = seconds(
        900, "Seconds for which a listener or a webhook may fail before `/health/checkout` says so", 259_200
    )

    @model_validator(mode="after")
    def _check_sender(self) -> Self:
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError(f"{PREFIX}SMTP_URL is set and {PREFIX}MAIL_FROM is not: who sends the e-mails?")
        return self
