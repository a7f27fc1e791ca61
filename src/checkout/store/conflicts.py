"""What the constraints of the database refuse, said to people."""

import re

import psycopg
from sqlalchemy.exc import DBAPIError

_CHECKS = {
    "ck_coupons_redeemed": "limit_total: more were redeemed already",
    "ck_promotions_redeemed": "limit_total: more were redeemed already",
    "ck_stock_no_oversell": "on_hand: checkouts hold more",
}


def explain_conflict(error: DBAPIError) -> str:
    """One sentence for a row that a constraint refused: a key that is taken, a row in use, a check, by its column."""
    cause = error.orig
    if not isinstance(cause, psycopg.Error):
        return "the database refused it"
    diagnosis = cause.diag
    detail = diagnosis.message_detail or ""
    if isinstance(cause, psycopg.errors.UniqueViolation):
        key = re.fullmatch(r"Key \((.*)\)=\((.*)\) already exists\.", detail, re.DOTALL)
        return f"{key[1]}: there is one with {key[2][:100]} already" if key else "there is one already"
    if isinstance(cause, psycopg.errors.ForeignKeyViolation):
        return f"it is in use: {detail.rstrip('.')}"
    if isinstance(cause, psycopg.errors.NotNullViolation):
        return f"{diagnosis.column_name}: must be given"
    name = diagnosis.constraint_name or ""
    field = name.removeprefix(f"ck_{diagnosis.table_name}_")
    return _CHECKS.get(name, f"{field}: not allowed with the other values")
