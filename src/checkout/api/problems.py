"""Every error that the API answers, in one place: RFC 9457 problem details (``application/problem+json``).

A route raises :class:`Problem` with a code of :data:`KINDS`, or lets an error of a lower room through; the handlers
here turn each into ``{type, title, status, detail, code}``, to which a validation error adds ``errors`` and a failed
phase adds ``phase``, ``context`` and ``checkout_id``. No answer repeats a value that was sent: it may be a secret.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from checkout.api.codes import KINDS, failure_status, kind_of
from checkout.api.validation import FieldError, field_errors, malformed
from checkout.domain.errors import DefiniteFailure, Failure

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error to be answered: a code of :data:`checkout.api.codes.KINDS`, a sentence, and what belongs to it.

    ``retry_after`` is in seconds and becomes the header ``Retry-After``.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        context: Mapping[str, Any] | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = _sentence(detail)
        self.status = status or kind_of(code).status
        self.members = members
        if errors:
            self.members["errors"] = [{"field": error.field, "message": error.message} for error in errors]
        if context is not None:
            self.members["context"] = dict(context)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))

    @classmethod
    def of_failure(cls, failure: Failure, checkout_id: str, **members: Any) -> "Problem":
        """The problem of a phase that failed."""
        return cls(
            failure.code,
            failure.detail,
            phase=failure.phase,
            context=failure.context,
            checkout_id=checkout_id,
            status=failure_status(failure.code),
            **members,
        )

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(
            {
                "type": f"urn:checkout:problem:{self.code}",
                "title": kind_of(self.code).title,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                **self.members,
            },
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def _sentence(detail: str) -> str:
    """A detail as a sentence: lower rooms say theirs without a capital and a full stop, as Python's errors do."""
    first = detail[:1].upper() if detail[:1].isalpha() and not detail.startswith(_IDS) else detail[:1]
    return first + detail[1:] + ("" if detail.endswith((".", "!", "?")) else ".")


#: A sentence that begins with one of our ids begins with it as it is.
_IDS = ("cart_", "chk_", "pay_")


def invalid(*errors: FieldError) -> Problem:
    """422: fields of the request that are not valid, each with what would be right."""
    fields = ", ".join(dict.fromkeys(error.field for error in errors))
    return Problem("validation_failed", f"Not valid: {fields}.", errors=errors)


def unavailable(what: str, *, retry_after: float = 2) -> Problem:
    """503: ``what``, the database or Temporal, does not answer; the same request may be sent again."""
    return Problem(
        f"{what}_unavailable",
        f"{'The database' if what == 'database' else 'Temporal'} does not answer. Send the same request again.",
        retry_after=retry_after,
    )


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(DefiniteFailure)
    async def definite_failure(_request: Request, error: DefiniteFailure) -> JSONResponse:
        return Problem(error.code, error.detail, context=error.context).response()

    @app.exception_handler(RequestValidationError)
    async def validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        if broken := malformed(error.errors()):
            return Problem("malformed_json", broken).response()
        return invalid(*field_errors(error.errors())).response()

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "route_not_found", 405: "method_not_allowed", 400: "malformed_json"}
        code = codes.get(error.status_code)
        if code is None:
            log.error("unmapped HTTP exception", status=error.status_code, path=request.url.path)
            return Problem("internal_error", "The request could not be answered.").response()
        details = {
            "route_not_found": "There is no such route; /docs lists them.",
            "method_not_allowed": f"This route does not answer {request.method}.",
            "malformed_json": "The body could not be read.",
        }
        return Problem(code, details[code], headers=error.headers).response()

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", method=request.method, path=request.url.path, exc_info=error)
        return Problem("internal_error", "Something went wrong here; it is in the log.").response()


__all__ = ["KINDS", "MEDIA_TYPE", "Problem", "install", "invalid", "unavailable"]
