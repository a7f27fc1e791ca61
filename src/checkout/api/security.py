"""Who asks: session tokens (JWT, HS256) and admin tokens.

A session token says which session asks (``sub``), as which customer when one is signed in (``customer_id``), and until
when (``exp``). The API mints one with the first cart; a shop's own backend mints the others with the same key.

An admin token is a secret that the settings name: ``ADMIN_TOKEN`` is an operator's, ``ADMIN_TOKENS`` names others, each
with a role.
"""

import hmac
import time
from dataclasses import dataclass
from typing import Annotated, Any

import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from checkout.api.problems import Problem
from checkout.api.protection.guessing import Guesses
from checkout.domain.words import Role
from checkout.runtime.admins import ADMIN, TOKEN_LENGTH, NamedToken
from checkout.runtime.settings import Settings
from checkout.store.owner import Owner

ALGORITHM = "HS256"
#: Life of a token that the API mints, in seconds: 30 days, as long as an abandoned cart is worth keeping.
TOKEN_LIFE = 30 * 24 * 3600
#: The longest session or customer id, in characters.
MAX_ID = 128


@dataclass(frozen=True)
class Session:
    """A storefront's session, and the customer who is signed in to it."""

    id: str
    customer_id: str | None = None

    @property
    def owner(self) -> Owner:
        """Whom its carts belong to."""
        return Owner(self.id, self.customer_id)


@dataclass(frozen=True)
class Admin:
    """Whoever holds an admin token: what the audit log calls him, and what he may do."""

    name: str
    role: Role


@dataclass(frozen=True)
class Tokens:
    """Makes and reads tokens with the secrets of the settings."""

    secret_key: str
    admin_token: str
    admins: tuple[NamedToken, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Tokens":
        """Raises SettingsError where a secret is missing."""
        settings.require("secret_key", "admin_token")
        return cls(settings.secret("secret_key"), settings.secret("admin_token"), settings.admins)

    def mint(self, session: Session, *, life: int = TOKEN_LIFE) -> str:
        """A token for a session, valid for ``life`` seconds."""
        claims: dict[str, Any] = {"sub": session.id, "exp": int(time.time()) + life}
        if session.customer_id is not None:
            claims["customer_id"] = session.customer_id
        return jwt.encode(claims, self.secret_key, algorithm=ALGORITHM)

    @property
    def all_admins(self) -> tuple[NamedToken, ...]:
        """Every admin, whoever holds ``ADMIN_TOKEN`` first."""
        return (NamedToken(ADMIN, Role.OPERATOR, self.admin_token), *self.admins)

    def read(self, token: str) -> Session | Admin:
        """Who holds this token.

        Raises Problem ``token_expired`` or ``token_invalid`` (401).
        """
        return self.admin(token) or self.session(token)

    def admin(self, token: str) -> Admin | None:
        """The admin who holds this token, None where it is no admin's."""
        found = None
        for one in self.all_admins:
            # All are compared, each in constant time: how long it takes tells nothing.
            if hmac.compare_digest(token.encode(), one.token.encode()):
                found = Admin(one.name, one.role)
        return found

    def session(self, token: str) -> Session:
        """The session of a session token. Raises Problem as :meth:`read` does."""
        try:
            # The list of algorithms is what refuses `none` and keys of another kind.
            claims = jwt.decode(
                token, self.secret_key, algorithms=[ALGORITHM], options={"require": ["exp", "sub"], "verify_iat": False}
            )
        except jwt.ExpiredSignatureError:
            raise _unauthorized("token_expired", "The session token has expired.") from None
        except (jwt.PyJWTError, ValueError, OverflowError):
            raise _unauthorized(
                "token_invalid", "The token is none of this shop's, neither a session's nor an admin's."
            ) from None
        subject, customer = claims["sub"], claims.get("customer_id")
        if not _is_id(subject) or (customer is not None and not _is_id(customer)):
            raise _unauthorized(
                "token_invalid", f"The claims sub and customer_id must be 1 to {MAX_ID} printable characters."
            )
        return Session(subject, customer)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID and value.isascii() and value.isprintable()


def _unauthorized(code: str, detail: str) -> Problem:
    return Problem(code, detail, headers={"WWW-Authenticate": "Bearer"})


def may_be_an_admins(token: str) -> bool:
    """Whether it could be a guess at an admin's token.

    A storefront's mistakes are none: ``undefined``, or a session's token kept after the key has changed.
    """
    if len(token) < TOKEN_LENGTH:
        return False
    try:
        jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        return True
    return False


_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    scheme_name="Session",
    description="A session token: minted with the first cart, or by the shop's own backend.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def tokens(request: Request) -> Tokens:
    """The application's tokens."""
    found: Tokens = request.app.state.tokens
    return found


TokensDep = Annotated[Tokens, Depends(tokens)]


async def caller(request: Request, credentials: Credentials, tokens: TokensDep) -> Session | Admin | None:
    """Who asks; None without an ``Authorization`` header.

    Raises Problem (401) where the header says nothing, ``rate_limited`` where an admin's token may be being guessed.
    """
    if credentials is not None:
        token = credentials.credentials
        if may_be_an_admins(token):
            guesses: Guesses = request.app.state.resources.guesses
            guesses.look(request.client)
            if tokens.admin(token) is None:
                await guesses.wrong(request.client)
        return tokens.read(token)
    if "authorization" in request.headers:
        raise _unauthorized("token_invalid", "Authorization must be: Bearer, a space, the token.")
    return None


Caller = Annotated[Session | Admin | None, Depends(caller)]


async def session_if_any(caller: Caller) -> Session | None:
    """The session that asks, None where nobody is named. Raises Problem (403) for an admin, who owns no carts."""
    if isinstance(caller, Admin):
        raise Problem("session_required", "This route takes a session token, not an admin's.")
    return caller


async def session(found: Annotated[Session | None, Depends(session_if_any)]) -> Session:
    """The session that asks. Raises Problem (401, 403) where there is none."""
    if found is None:
        raise _unauthorized("token_missing", "Send Authorization: Bearer with the session token.")
    return found


OptionalSession = Annotated[Session | None, Depends(session_if_any)]
CurrentSession = Annotated[Session, Depends(session)]


async def owner(session: CurrentSession) -> Owner:
    """Whose carts, checkouts and orders the caller may see."""
    return session.owner


OwnerDep = Annotated[Owner, Depends(owner)]


async def admin(caller: Caller) -> Admin:
    """The admin who asks. Raises Problem (401, 403) where it is nobody, or a storefront's session."""
    if caller is None:
        raise _unauthorized("token_missing", "Send Authorization: Bearer with an admin token.")
    if isinstance(caller, Session):
        raise Problem("admin_required", "This route takes an admin token, not a session's.")
    return caller


#: Who may look at what a router of ``/admin`` shows: an admin of any role. What changes something takes
#: ``api.admin.audit.ActingDep`` besides, which asks for an operator.
AnyAdmin = Depends(admin)
CurrentAdmin = Annotated[Admin, AnyAdmin]
