"""Who may ask, and what of a request is kept."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from checkout.runtime.admins import TOKEN_LENGTH, NamedToken, named_tokens
from checkout.runtime.setting_kinds import Admins, Origins, seconds, setting

# HS256 keys shorter than the hash's output weaken the signature (RFC 7518, section 3.2).
SECRET_LENGTH = 32


class AccessSettings(BaseSettings):
    """Tokens of sessions and admins, origins of pages, and the lease of a keyed request."""

    secret_key: SecretStr | None = setting(
        None, "Signs session tokens (HS256)", f"{SECRET_LENGTH} characters or more, random", min_length=SECRET_LENGTH
    )
    admin_token: SecretStr | None = setting(
        None,
        "Bearer token of an operator",
        f"{TOKEN_LENGTH} characters or more, random",
        min_length=TOKEN_LENGTH,
    )
    admin_tokens: Admins | None = setting(
        None,
        "Further admins, each with a token: a viewer looks, an operator acts; separated by commas",
        "name:viewer:token or name:operator:token, names and tokens each once, tokens of "
        f"{TOKEN_LENGTH} characters or more",
    )
    idempotency_lease: int = seconds(
        30, "Seconds after which a repeat takes over a keyed request whose process died", 3600
    )
    cors_origins: Origins = setting(
        (), "Origins whose pages may call the API, separated by commas", "origins such as https://shop.example, or *"
    )

    @property
    def admins(self) -> tuple[NamedToken, ...]:
        """Those of ``admin_tokens``."""
        return () if self.admin_tokens is None else named_tokens(self.admin_tokens.get_secret_value())
