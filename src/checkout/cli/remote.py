"""The admin API as commands speak it: where it is, who asks, and every refusal as one line with its remedy.

Commands for operators go over HTTP alone, so that they do the same on the machine itself as from anywhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from checkout.cli.store import refuse
from checkout.runtime.settings import PREFIX, load_settings
from checkout.runtime.stack import running_stack, settings_of_stack

if TYPE_CHECKING:  # see cli/store.py
    import aiohttp

T = TypeVar("T")

#: Seconds that an answer may take: a release waits for 5 of them.
PATIENCE = 30.0

Url = Annotated[
    str | None, typer.Option("--url", help=f"Where the API is; without it {PREFIX}API_URL, else the running stack's")
]
AsJson = Annotated[bool, typer.Option("--json", help="What the API answers, as JSON")]


class Refused(Exception):
    """The API, or the way to it, refuses; ``code``: the exit code, 2 for what the caller got wrong.

    ``status``: that of an answer of ours.
    """

    def __init__(self, reason: str, code: int = 1, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.code, self.status = code, status


@dataclass(frozen=True)
class Place:
    """Where the API is, and the token to ask it with."""

    url: str
    token: str


def with_api(url: str | None, work: "Callable[[AdminApi], Awaitable[T]]") -> T:
    """Run ``work`` with the API of ``--url``, of ``CHECKOUT_API_URL``, or of the ``checkout dev`` that runs.

    A refusal is one line, and ends the process.
    """
    place = _place(url)

    async def run() -> T:
        async with AdminApi(place) as api:
            return await work(api)

    try:
        return asyncio.run(run())
    except Refused as refused:
        refuse(str(refused), refused.code)


def _place(url: str | None) -> Place:
    named = (url or load_settings().api_url or "").rstrip("/")
    settings = settings_of_stack()
    stack = running_stack(settings.data_dir)
    own = str(stack["api"]["url"]) if stack else ""
    if not named and not own:
        refuse(
            f"no `checkout dev` runs on {settings.data_dir}: start one, "
            f"or set {PREFIX}API_URL (or --url) and {PREFIX}ADMIN_TOKEN for one elsewhere"
        )
    if named and not named.startswith(("http://", "https://")):
        refuse(f"--url is {named!r}, needed: an http or https URL")
    # The running stack's token is for the running stack: it is not told to whoever answers at another address.
    chosen = settings if named in {"", own} else load_settings()
    if chosen.admin_token is None:
        refuse(f"{PREFIX}ADMIN_TOKEN is not set: the token of an operator, or of a viewer, at {named}")
    return Place(named or own, chosen.admin_token.get_secret_value())


class AdminApi:
    """Asks, and gives the JSON of a good answer. Every method raises Refused."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "AdminApi":
        import aiohttp

        headers = {"Authorization": f"Bearer {self.place.token}", "Accept": "application/json"}
        timeout = aiohttp.ClientTimeout(total=PATIENCE, sock_connect=5)
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """``GET`` of a path; what is None is left out of the query."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return (await self._ask("GET", path, params=given))[1]

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """``POST`` to a path: the status, and the answer."""
        return await self._ask("POST", path, json=None if body is None else dict(body))

    async def _ask(self, method: str, path: str, **request: Any) -> tuple[int, dict[str, Any]]:
        import aiohttp

        assert self._session is not None  # noqa: S101 - between enter and exit
        try:
            # A redirect is somebody else's answer: the token stays here.
            async with self._session.request(
                method, self.place.url + path, allow_redirects=False, **request
            ) as response:
                status, moved = response.status, response.headers.get("Location")
                answer = await response.json(content_type=None)
        except (aiohttp.ClientConnectionError, TimeoutError, OSError) as error:
            raise Refused(
                f"the API does not answer at {self.place.url}: {_why(error)}. "
                f"Does it run, and is {PREFIX}API_URL (or --url) right?"
            ) from None
        except (aiohttp.ClientError, ValueError):
            self._not_ours()
        if 300 <= status < 400:
            raise Refused(f"{self.place.url} says that it is at {moved}: name that address", 2)
        if not isinstance(answer, dict):
            self._not_ours(status)
        if status >= 400:
            raise self._refusal(status, answer)
        return status, answer

    def _not_ours(self, status: int | None = None) -> NoReturn:
        said = "" if status is None else f" ({status})"
        raise Refused(f"{self.place.url} answers{said}, and not as this shop's API: is the address right?")

    def _refusal(self, status: int, problem: Mapping[str, Any]) -> Refused:
        code, detail = problem.get("code"), str(problem.get("detail", "")).rstrip(".")
        if status == 401 or code == "admin_required":
            return Refused(f"the API at {self.place.url} does not take {PREFIX}ADMIN_TOKEN for an admin's: {detail}", 2)
        if code is None or code in {"route_not_found", "method_not_allowed"}:
            self._not_ours(status)
        fields = [_named(f"{error['field']} {error['message']}") for error in problem.get("errors", ())]
        return Refused("; ".join(fields) or detail, 2 if status in {403, 404, 422} else 1, status=status)


#: Fields of the API that a command has another word for.
_OPTIONS = {"date_from": "--since", "date_to": "--until", "customer_id": "--customer"}


def _named(message: str) -> str:
    """What is wrong with a field, by the options of the command line."""
    return " ".join(_OPTIONS.get(word, word) for word in message.split(" "))


def _why(error: BaseException) -> str:
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or str(cause) or "timeout"
