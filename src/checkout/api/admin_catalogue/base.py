"""What the views share: rows that are edited by rules, rows that are there to read only."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from markupsafe import Markup
from sqladmin import ModelView
from sqlalchemy import Select, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from typing_extensions import override
from wtforms import Form

from checkout.api.admin_catalogue.acts import acting, current
from checkout.api.admin_catalogue.forms import RuleForm
from checkout.domain.checks import InvalidValue
from checkout.domain.currencies import is_currency
from checkout.domain.money import money_text
from checkout.store.conflicts import explain_conflict


class Refused(ValueError):
    """A change that the shop's rules or data do not allow; ``str()`` is shown above the form."""


def money(row: Any, name: str) -> str:
    """An amount as people write it, with its currency."""
    amount, currency = getattr(row, name), getattr(row, "currency", None)
    if amount is None or not currency or not is_currency(currency):
        return "" if amount is None else str(amount)
    return money_text(amount, currency)


def priced_lines(row: Any, name: str) -> list[str]:
    """The lines of an order or a snapshot, whose amounts are in its currency."""
    return [f"{line.quantity} × {line.sku}: {money_text(line.total, row.currency)}" for line in getattr(row, name)]


def percent(row: Any, name: str) -> str:
    """Basis points as percent."""
    value = getattr(row, name)
    return "" if value is None else f"{value / 100:g} %"


def brief(row: Any, name: str) -> str:
    """The beginning of a long text."""
    value = str(getattr(row, name) or "")
    return value if len(value) <= 60 else f"{value[:60]}…"


def moment(value: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def document(value: list[Any] | dict[str, Any]) -> str:
    """A JSON document as it can be read; a list of words as one, and nothing for an empty one."""
    if not value or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return ", ".join(value)
    return Markup('<span style="white-space: pre-wrap">{}</span>').format(
        json.dumps(value, indent=2, ensure_ascii=False)
    )


class View(ModelView):
    """A table that is shown: by page, searched by whole words of indexed columns."""

    can_create = False
    can_edit = False
    can_delete = False
    can_export = False
    page_size = 25
    list_template = "catalogue/list.html"
    column_type_formatters: ClassVar[dict[type, Any]] = {
        **ModelView.column_type_formatters,
        datetime: moment,
        list: document,
        dict: document,
    }
    column_type_formatters_detail = column_type_formatters

    def __init__(self) -> None:
        super().__init__()
        for name in (*self._list_prop_names, *self._details_prop_names):
            label = self._column_labels.setdefault(name, name.replace("_", " ").capitalize())
            self._column_labels_value_by_key.setdefault(label, name)


class ReadOnlyView(View):
    """What the shop itself writes: nothing here changes it."""

    def search_query(self, stmt: Select[Any], term: str) -> Select[Any]:
        """Rows with the whole term in one of the searched columns: by index, however long the table has grown."""
        columns = []
        for path in self._search_fields:
            stmt, row = self._join_relationship_paths(stmt, path, set())
            columns.append(getattr(row, path.rpartition(".")[2]))
        return stmt.filter(or_(*(column == term.strip() for column in columns)))


class RuleView(View):
    """A table that the shop edits, by forms with rules. Rows are deactivated rather than deleted."""

    can_create = True
    can_edit = True
    #: For new rows, and for what may be changed of one that is there.
    new_form: ClassVar[type[RuleForm]]
    edit_form: ClassVar[type[RuleForm]]
    #: Distinct, so that ``scaffold_form`` can tell which one is asked for.
    form_create_rules: ClassVar[list[str]] = ["new"]
    form_edit_rules: ClassVar[list[str]] = ["edit"]

    async def scaffold_form(self, rules: list[str] | None = None) -> type[Form]:
        """The form for a new row or an edit."""
        return self.new_form if rules == self.form_create_rules else self.edit_form

    def entered(self, row: Any) -> dict[str, Any]:
        """A row as it is entered in the form."""
        return {field.name: getattr(row, field.name, None) for field in self.edit_form()}

    async def complete(
        self,
        session: AsyncSession,  # noqa: ARG002 - for the views that look something up
        columns: dict[str, Any],
        row: Any | None,  # noqa: ARG002 - for the views that mind what is there
    ) -> dict[str, Any]:
        """Columns with what only the database knows; ``row`` is None for a new one. Raises InvalidValue."""
        return columns

    async def get_form_data_for_edit(self, obj: Any) -> dict[str, Any]:
        """What the form begins with."""
        return self.entered(obj)

    @override
    async def on_model_change(self, data: dict[str, Any], model: Any, is_created: bool, request: Request) -> None:
        """Complete the columns before they are written."""
        act = current()
        if act is not None:
            act.row = model
        async with self.session_maker() as session:
            try:
                columns = await self.complete(session, dict(data), None if is_created else model)
            except InvalidValue as error:
                raise Refused(f"{self._label(error.field)}: {error.reason}") from None
        data.clear()
        data.update(columns)

    def _label(self, name: str) -> str:
        """A field as the form calls it."""
        form = self.new_form()
        return str(form[name].label.text) if name in form else name

    async def insert_model(self, request: Request, data: dict[str, Any]) -> Any:
        """Write a new row."""
        try:
            with acting(request, "create", self.identity):
                return await super().insert_model(request, data)
        except IntegrityError as error:
            raise Refused(explain_conflict(error)) from None

    async def update_model(self, request: Request, pk: str, data: dict[str, Any]) -> Any:
        """Write a changed row."""
        try:
            with acting(request, "update", self.identity, pk):
                return await super().update_model(request, pk, data)
        except IntegrityError as error:
            raise Refused(explain_conflict(error)) from None

    async def delete_model(self, request: Request, pk: Any) -> None:
        """Delete a row, where the view allows it at all."""
        try:
            with acting(request, "delete", self.identity, str(pk)):
                await super().delete_model(request, pk)
        except IntegrityError as error:
            raise Refused(explain_conflict(error)) from None


async def only(
    session: AsyncSession, row: type[Any], field: str, named: Mapping[str, str], called: str | None = None
) -> Any:
    """The first row that has these values. Raises InvalidValue for the form's field where there is none.

    ``called`` is what stands before the values then, the row's name by default.
    """
    statement = select(row)
    for column, value in named.items():
        statement = statement.where(getattr(row, column) == value)
    found = (await session.execute(statement)).scalars().first()
    if found is None:
        raise InvalidValue(field, f"there is no {called or row.__name__.lower()} {' '.join(named.values())[:60]!r}")
    return found
