"""A mail server that accepts, refuses, hangs or drops the line, on a port of its own."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.http import steady_port

ACCEPTED = "250 accepted"
NO_SUCH_BUYER = "550 no such mailbox ada@example.com"
LATER = "451 try again later, ada@example.com"
HANGS = "hangs"


@dataclass
class MailServer:
    """``received`` has what it took. The next recipients, then messages, are answered as told; all others are taken."""

    received: list[EmailMessage] = field(default_factory=list)
    to_recipients: list[str] = field(default_factory=list)
    to_messages: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """As ``SMTP_URL`` has it."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A recipient."""
        answer = await _answer(self.to_recipients)
        if answer == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A message."""
        answer = await _answer(self.to_messages)
        if answer == ACCEPTED:
            content = envelope.content
            assert isinstance(content, bytes)
            message: Any = BytesParser(policy=policy.default).parsebytes(content)
            self.received.append(message)
        return answer


async def _answer(told: list[str]) -> str:
    answer = told.pop(0) if told else ACCEPTED
    if answer == HANGS:
        await asyncio.sleep(3600)
    return answer


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    """A mail server while the context lasts."""
    server = MailServer(port=steady_port())
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def texts(message: EmailMessage) -> tuple[str, str]:
    """Its text and its HTML."""
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return str(plain.get_content()), str(html.get_content())
