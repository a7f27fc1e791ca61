"""Tokens, without a server."""

import time
from typing import Any

import jwt
import pytest

from checkout.api.problems import Problem
from checkout.api.security import Admin, Session, Tokens
from checkout.domain.words import Role
from checkout.runtime.admins import NamedToken

KEY = "k" * 64
ADMIN = "admin-token-of-the-tests"
TOKENS = Tokens(KEY, ADMIN)


def token(claims: dict[str, Any], key: str = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


@pytest.mark.parametrize("session", [Session("ses_1"), Session("ses_1", "customer-7")])
def test_a_minted_token_says_who_asks(session: Session) -> None:
    assert TOKENS.read(TOKENS.mint(session)) == session


def test_the_admin_token_is_an_operator() -> None:
    assert TOKENS.read(ADMIN) == Admin("admin", Role.OPERATOR)


def test_further_admins_are_known_by_their_tokens() -> None:
    tokens = Tokens(KEY, ADMIN, (NamedToken("ada", Role.VIEWER, "a" * 16), NamedToken("bob", Role.OPERATOR, "b" * 16)))
    assert tokens.read("a" * 16) == Admin("ada", Role.VIEWER)
    assert tokens.read("b" * 16) == Admin("bob", Role.OPERATOR)
    assert tokens.read(ADMIN) == Admin("admin", Role.OPERATOR)
    assert tokens.admin("a" * 17) is None


#: The year 2100. A fixed time, because the tokens become the tests' names, which must be the same in every process.
LATER = 4_102_444_800


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "x",
        "a.b.c",
        "é.é.é",
        token({"sub": "ses_1", "exp": LATER}, key="z" * 40),
        token({"sub": "ses_1", "exp": LATER}, algorithm="HS512"),
        token({"sub": "ses_1", "exp": LATER}, key="", algorithm="none"),
        token({"sub": "ses_1"}),
        token({"exp": LATER}),
        token({"sub": "", "exp": LATER}),
        token({"sub": "s" * 129, "exp": LATER}),
        token({"sub": "a\x00b", "exp": LATER}),
        token({"sub": "ses_1", "exp": LATER, "customer_id": 7}),
        token({"sub": "ses_1", "exp": LATER, "customer_id": "c\n"}),
        token({"sub": "ses_1", "exp": "tomorrow"}),
        token({"sub": "ses_1", "exp": LATER, "nbf": LATER}),
        token({"sub": "ses_1", "exp": LATER})[:-2],
    ],
)
def test_a_token_of_another_make_is_refused(broken: str) -> None:
    with pytest.raises(Problem) as refused:
        TOKENS.read(broken)
    assert refused.value.code == "token_invalid"
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_token_is_refused_as_such() -> None:
    with pytest.raises(Problem) as refused:
        TOKENS.read(token({"sub": "ses_1", "exp": int(time.time()) - 1}))
    assert refused.value.code == "token_expired"
