"""E-mails reach a mail server, or a mailbox of files; what goes wrong is told apart, and says nothing personal."""

import asyncio
from email.message import EmailMessage
from pathlib import Path

import pytest

from checkout.runtime import mail
from checkout.runtime.mail import Mailbox, MailRefused, MailUnavailable, Smtp, mailbox_of, mailer_of
from checkout.runtime.settings import SettingsError, load_settings
from tests.support.http import steady_port
from tests.support.mail import HANGS, LATER, NO_SUCH_BUYER, mail_server


def letter(number: int = 1, to: str = "ada@example.com") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Grüße", "Shop <shop@shop.example>", to
    message["Message-ID"] = f"<{number}@shop.example>"
    message.set_content("Danke für Ihre Bestellung")
    return message


async def test_it_reaches_the_server() -> None:
    with mail_server() as server:
        await Smtp(server.url).send(letter())
    [got] = server.received
    assert (got["Subject"], got["To"], got["Message-ID"]) == ("Grüße", "ada@example.com", "<1@shop.example>")
    assert "Danke für Ihre Bestellung" in got.get_content()


async def test_a_recipient_that_is_refused_is_not_tried_again() -> None:
    with mail_server() as server:
        server.to_recipients.append(NO_SUCH_BUYER)
        with pytest.raises(MailRefused) as refused:
            await Smtp(server.url).send(letter())
    assert "550" in str(refused.value)
    assert "ada" not in str(refused.value)


@pytest.mark.parametrize("answer", [LATER, HANGS, "421 closing"])
@pytest.mark.parametrize("at", ["to_recipients", "to_messages"])
async def test_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch, answer: str, at: str) -> None:
    monkeypatch.setattr(mail, "SMTP_TIMEOUT", 0.3)
    with mail_server() as server:
        getattr(server, at).append(answer)
        with pytest.raises(MailUnavailable) as away:
            await Smtp(server.url).send(letter())
        assert "ada" not in str(away.value)
        await Smtp(server.url).send(letter())
    assert len(server.received) == 1


async def test_nobody_answers() -> None:
    with pytest.raises(MailUnavailable):
        await Smtp(f"smtp://127.0.0.1:{steady_port()}").send(letter())


async def test_a_server_without_tls_gets_nothing_where_tls_is_a_must() -> None:
    with mail_server() as server, pytest.raises(MailUnavailable):
        await Smtp(server.url.replace("smtp:", "smtp+starttls:")).send(letter())
    assert server.received == []


async def test_a_header_cannot_be_smuggled_in() -> None:
    with pytest.raises(ValueError, match=r"newline|linefeed"):
        letter(to="ada@example.com\nBcc: eve@example.com")


async def test_mailbox(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mailbox")
    assert list(box.newest()) == []
    for number in (1, 2, 1):
        await box.send(letter(number))
        await asyncio.sleep(0.001)
    names = [name for name, _ in box.newest()]
    assert [str(message["Message-ID"]) for _, message in box.newest()] == ["<2@shop.example>", "<1@shop.example>"]
    assert (read := box.read(names[0])) is not None
    assert str(read["Subject"]) == "Grüße"
    assert box.read("../secrets") is None
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "mailbox").iterdir()} == {0o600}


async def test_a_mailbox_is_never_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "MAILBOX_SIZE", 2)
    box = Mailbox(tmp_path)
    for number in range(4):
        await box.send(letter(number))
    assert [str(message["Message-ID"])[1] for _, message in box.newest()] == ["3", "2"]


def test_settings() -> None:
    assert mailer_of(load_settings()) is None
    sends = load_settings(smtp_url="smtps://shop:p%40ss@mail.example", mail_from="shop@shop.example")
    assert isinstance(mailer_of(sends), Smtp)
    assert mailbox_of(sends) is None
    keeps = load_settings(smtp_url="mailbox:", mail_from="shop@shop.example")
    assert isinstance(mailer_of(keeps), Mailbox)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"smtp_url": "http://mail.example", "mail_from": "a@b.example"}, "CHECKOUT_SMTP_URL is wrong"),
        ({"smtp_url": "smtp://", "mail_from": "a@b.example"}, "CHECKOUT_SMTP_URL is wrong"),
        ({"smtp_url": "smtp://mail.example:port", "mail_from": "a@b.example"}, "CHECKOUT_SMTP_URL is wrong"),
        ({"smtp_url": "smtp://mail.example"}, "CHECKOUT_MAIL_FROM is not"),
        ({"mail_from": "the shop"}, "CHECKOUT_MAIL_FROM is 'the shop'"),
        ({"mail_locale": "klingon"}, "CHECKOUT_MAIL_LOCALE is 'klingon'"),
        ({"mail_templates": "/nowhere"}, "CHECKOUT_MAIL_TEMPLATES is '/nowhere'"),
        ({"listeners": "my shop"}, "CHECKOUT_LISTENERS is 'my shop'"),
    ],
)
def test_wrong_settings(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(**given)
