"""The admins whom the settings name, each with a token and a role."""

import re
from dataclasses import dataclass, field

from checkout.domain.words import Role

#: Whoever holds ``ADMIN_TOKEN``; nobody else can be called so.
ADMIN = "admin"
TOKEN_LENGTH = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class NamedToken:
    """An admin: what the audit log calls him, what he may do, and the token by which he is known."""

    name: str
    role: Role
    token: str = field(repr=False)


def named_tokens(text: str) -> tuple[NamedToken, ...]:
    """The admins of ``name:role:token``, separated by commas.

    Raises ValueError, which never repeats a token.
    """
    found = tuple(_named(part.strip()) for part in text.split(",") if part.strip())
    names, tokens = {one.name for one in found}, {one.token for one in found}
    if len(names) < len(found) or ADMIN in names:
        raise ValueError(f"two admins have the same name, or one is called {ADMIN!r}, which ADMIN_TOKEN is")
    if len(tokens) < len(found):
        raise ValueError("two admins have the same token")
    return found


def _named(part: str) -> NamedToken:
    name, _, rest = part.partition(":")
    role, _, token = rest.partition(":")
    if not _NAME.fullmatch(name) or role not in set(Role) or len(token) < TOKEN_LENGTH or not token.isascii():
        raise ValueError("not name:role:token")
    return NamedToken(name, Role(role), token)
