"""``ADMIN_TOKENS``: names, roles and tokens; what is wrong is said without showing a token."""

import pytest

from checkout.domain.words import Role
from checkout.runtime.admins import NamedToken, named_tokens
from checkout.runtime.settings import SettingsError, load_settings

A, B = "token-of-ada-1234", "token:of:bob:1234"


def test_names_roles_and_tokens() -> None:
    found = named_tokens(f"ada:viewer:{A}, bob:operator:{B},")
    assert found == (NamedToken("ada", Role.VIEWER, A), NamedToken("bob", Role.OPERATOR, B))
    assert A not in repr(found)
    assert load_settings(admin_tokens=f"ada:viewer:{A}").admins == found[:1]
    assert load_settings().admins == ()


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"ada:{A}",
        f"ada:boss:{A}",
        f":viewer:{A}",
        f"a b:viewer:{A}",
        "ada:viewer:short",
        f"admin:viewer:{A}",
        f"ada:viewer:{A},ada:operator:{B}",
        f"ada:viewer:{A},bob:operator:{A}",
    ],
)
def test_what_is_wrong_is_refused_without_showing_a_token(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(admin_tokens=text)
    assert "CHECKOUT_ADMIN_TOKENS is wrong, needed: name:viewer:token" in str(refused.value)
    assert A not in str(refused.value)
