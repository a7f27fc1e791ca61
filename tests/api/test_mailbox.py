"""/dev/mailbox: there where e-mails are kept, and nowhere else; what it shows can do nothing."""

from pathlib import Path

import httpx

from checkout.api.app import create_app
from checkout.listeners.letters import Letters
from checkout.runtime.mail import mailbox_of
from checkout.runtime.settings import Settings, load_settings
from tests.support.http import serve


async def test_not_where_mail_is_sent_or_none_is(api_settings: Settings, http: httpx.AsyncClient) -> None:
    assert (await http.get("/dev/mailbox")).status_code == 404
    sends = api_settings.model_copy(update={"smtp_url": load_settings(smtp_url="smtp://m", mail_from="a@b.c").smtp_url})
    with serve(create_app(sends)) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/dev/mailbox")).status_code == 404


async def test_what_would_be_sent(api_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("Subject: <b>{{ name }}</b>\n\nHello {{ name }}")
    (tmp_path / "hello.html").write_text("<p>Hello {{ name }}</p>")
    mail = load_settings(
        smtp_url="mailbox:", mail_from="Shop <shop@shop.example>", mail_templates=tmp_path, data_dir=tmp_path
    )
    keeps = api_settings.model_copy(update={"smtp_url": mail.smtp_url, "data_dir": tmp_path})
    box = mailbox_of(mail)
    assert box is not None
    with serve(create_app(keeps)) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            assert "Nothing yet" in (await client.get("/dev/mailbox")).text
            await box.send(Letters.of(mail).write("hello", "ada@example.com", "d", name="Ada"))
            page = await client.get("/dev/mailbox")
            assert "&lt;b&gt;Ada&lt;/b&gt;" in page.text
            assert "ada@example.com" in page.text
            [(name, _)] = box.newest()
            shown = await client.get(f"/dev/mailbox/{name}")
            assert shown.text.strip() == "<p>Hello Ada</p>"
            assert "sandbox" in shown.headers["content-security-policy"]
            assert (await client.get(f"/dev/mailbox/{name}?form=text")).text.strip() == "Hello Ada"
            assert (await client.get("/dev/mailbox/nothing")).status_code == 404
            assert (await client.get("/dev/mailbox/..%2Fhello")).status_code == 404
