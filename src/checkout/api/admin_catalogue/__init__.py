"""The catalogue admin under ``/admin/catalogue``: what a shop keeps, and what its checkouts wrote."""

import logging
from pathlib import Path

import structlog
from fastapi import FastAPI
from sqladmin import Admin
from sqladmin.audit import AuditBackend, AuditEntry
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from checkout.api.admin_catalogue import goods, ledgers, price_rules
from checkout.api.admin_catalogue.access import AdminLogin
from checkout.api.admin_catalogue.acts import ActsSession
from checkout.api.admin_catalogue.base import Refused
from checkout.api.problems import Problem
from checkout.api.resources import Resources
from checkout.api.security import Tokens

log = structlog.get_logger(__name__)

BASE_URL = "/admin/catalogue"


class CatalogueAdmin:
    """The admin's pages, mounted on the application before its database is open."""

    def __init__(self, app: FastAPI, tokens: Tokens) -> None:
        self._sessions = async_sessionmaker[AsyncSession](expire_on_commit=False, sync_session_class=ActsSession)
        self._login = AdminLogin(tokens, BASE_URL)
        self._admin = Admin(
            app,
            session_maker=self._sessions,
            base_url=BASE_URL,
            title="Catalogue",
            favicon_url="/admin/assets/icon.svg",
            templates_dir=str(Path(__file__).parent / "templates"),
            authentication_backend=self._login,
            audit_backend=_Audit(),
        )
        self._admin.admin.exception_handlers |= {
            ValueError: self._not_found,
            DBAPIError: self._database,
            Problem: self._not_logged_in,
        }
        logging.getLogger("sqladmin.application").addFilter(_NO_REFUSALS)
        for view in (*goods.VIEWS, *price_rules.VIEWS, *ledgers.VIEWS):
            self._admin.add_view(view)

    def open(self, resources: Resources) -> None:
        """Use this database from now on, and let this count wrong tokens."""
        self._sessions.configure(bind=resources.pool)
        self._login.guesses = resources.guesses

    async def _not_found(self, request: Request, _error: Exception) -> Response:
        """An address that is none: a key that is no number, a page that is none."""
        return await self._page(request, HTTPException(404, "There is no such page."))

    async def _database(self, request: Request, error: Exception) -> Response:
        if isinstance(error, DBAPIError) and error.statement is not None and not error.connection_invalidated:
            log.warning("catalogue admin: the database refused a statement", error=str(error.orig))
            return await self._page(request, HTTPException(400, "The database cannot work with this value."))
        return await self._page(request, HTTPException(503, "The database does not answer. Try again in a moment."))

    async def _not_logged_in(self, request: Request, error: Exception) -> Response:
        """A login that was refused."""
        if not isinstance(error, Problem):
            raise error
        page: Response = await self._admin.templates.TemplateResponse(
            request, "sqladmin/login.html", {"error": error.detail}, status_code=error.status
        )
        page.headers.update(error.headers)
        return page

    async def _page(self, request: Request, error: HTTPException) -> Response:
        context = {"status_code": error.status_code, "message": error.detail}
        return await self._admin.templates.TemplateResponse(
            request, "sqladmin/error.html", context, status_code=error.status_code
        )


class _NoRefusals(logging.Filter):
    """What a rule refused is shown to who entered it; it is no error of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Refused))


_NO_REFUSALS = _NoRefusals()


class _Audit(AuditBackend):
    """A log line for each change, with what was entered; that it was made is kept with the change (``acts``)."""

    @override
    async def log(self, entry: AuditEntry, request: Request) -> None:
        log.info(
            "catalogue changed",
            who=str(request.session.get("name")),
            action=entry.action,
            table=entry.identity,
            key=entry.pk,
            changes={name: str(value)[:200] for name, value in (entry.changes or {}).items()},
        )
