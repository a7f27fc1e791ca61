"""E-mails that leave the shop: over SMTP, or, in development, into a mailbox of files that people look into."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from checkout.runtime.settings import Settings

#: Seconds for all of a conversation with the mail server.
SMTP_TIMEOUT = 20.0
#: The scheme of ``SMTP_URL`` by which nothing is sent, but kept as files in ``DATA_DIR``.
MAILBOX = "mailbox:"
#: How many messages a mailbox keeps; the oldest make room.
MAILBOX_SIZE = 200


class MailRefused(Exception):
    """The mail server takes nothing for this recipient, however often it is asked. Says its code, and no address."""


class MailUnavailable(Exception):
    """The message was not taken now: no connection, no answer in time, a refusal that may pass, a wrong password."""


class Mailer(Protocol):
    """Whoever takes messages."""

    async def send(self, message: EmailMessage) -> None:
        """Hand the message over. Raises MailRefused, MailUnavailable; neither says anything personal."""


@dataclass(frozen=True)
class Smtp:
    """A mail server, by the URL of ``SMTP_URL``: ``smtp`` upgrades to TLS where the server offers it, ``smtps`` begins
    with TLS, ``smtp+starttls`` insists on the upgrade.
    """

    url: str

    async def send(self, message: EmailMessage) -> None:
        """See :class:`Mailer`. The server has it once this returns; one that dies before the answer may have it too."""
        parts = urlsplit(self.url)
        try:
            await aiosmtplib.send(
                message,
                hostname=parts.hostname,
                port=parts.port or {"smtps": 465, "smtp+starttls": 587}.get(parts.scheme, 25),
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=parts.scheme == "smtps",
                start_tls={"smtp": None, "smtps": False, "smtp+starttls": True}[parts.scheme],
                timeout=SMTP_TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({refused.code for refused in error.recipients})
            if all(code >= 500 for code in codes):
                raise MailRefused(f"the mail server refuses the recipient ({', '.join(map(str, codes))})") from None
            raise MailUnavailable(f"the mail server does not take the recipient now ({codes[0]})") from None
        except aiosmtplib.SMTPResponseException as error:
            raise MailUnavailable(f"the mail server answered {error.code} ({type(error).__name__})") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailUnavailable(f"the mail server does not answer ({type(error).__name__})") from None


@dataclass(frozen=True)
class Mailbox:
    """A directory with a file for each message, named after its ``Message-ID``: sent again, it is there once."""

    directory: Path

    async def send(self, message: EmailMessage) -> None:
        """See :class:`Mailer`."""
        await asyncio.to_thread(self._keep, message)

    def newest(self) -> Iterator[tuple[str, EmailMessage]]:
        """The messages with the names by which :meth:`read` finds them, the newest first."""
        for file in self._files():
            message = self.read(file.stem)
            if message is not None:
                yield file.stem, message

    def read(self, name: str) -> EmailMessage | None:
        """One message, None where there is none of that name."""
        with contextlib.suppress(OSError):
            for file in self._files():
                if file.stem == name:
                    parsed = BytesParser(policy=policy.default).parsebytes(file.read_bytes())
                    return parsed if isinstance(parsed, EmailMessage) else None
        return None

    def _keep(self, message: EmailMessage) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        key = hashlib.sha256(str(message["Message-ID"]).encode()).hexdigest()[:24]
        if any(self.directory.glob(f"*-{key}.eml")):
            return
        making = self.directory / f".{key}"
        making.write_bytes(message.as_bytes(policy=policy.SMTP))
        making.chmod(0o600)
        making.replace(self.directory / f"{time.time_ns():020}-{key}.eml")
        for old in self._files()[MAILBOX_SIZE:]:
            old.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob("*.eml"), reverse=True)


def mailbox_of(settings: Settings) -> Mailbox | None:
    """The mailbox that the settings name instead of a mail server; None where mail is sent, or there is none."""
    url = settings.smtp_url
    kept = url is not None and url.get_secret_value() == MAILBOX
    return Mailbox(settings.data_dir / "mailbox") if kept else None


def mailer_of(settings: Settings) -> Mailer | None:
    """Where the settings send mail to, None where nothing is sent."""
    if settings.smtp_url is None:
        return None
    return mailbox_of(settings) or Smtp(settings.smtp_url.get_secret_value())
