"""What is said about a request that is not valid: each field by its path, with what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PLACES = ("body", "query", "path", "header")
_LONGEST_FIELD = 100


@dataclass(frozen=True)
class FieldError:
    """A field (``shipping.country``, ``lines.0.quantity``) and a sentence that says what would be right."""

    field: str
    message: str


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's errors, by field. Values are never repeated."""
    return [FieldError(field_name(error["loc"]), _message(error)) for error in errors]


def field_name(location: Sequence[object]) -> str:
    """The dotted path of a field, cut where it is longer than any of ours; ``body`` for the body as a whole."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] in _PLACES:
        parts = parts[1:]
    name = ".".join(parts)
    printable = "".join(letter if letter.isprintable() else "?" for letter in name[:_LONGEST_FIELD])
    return printable + ("…" if len(name) > _LONGEST_FIELD else "")


def malformed(errors: Iterable[Mapping[str, Any]]) -> str | None:
    """A sentence where the body is no JSON at all, None where it is JSON that is not valid."""
    for error in errors:
        if error["type"] == "json_invalid":
            return f"The body is not JSON: {error.get('ctx', {}).get('error', 'it could not be read')}."
    return None


def _message(error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    if context.get("remedy"):
        return str(context["remedy"])
    if error["type"] in _NO_OBJECT:
        return _OBJECT if field_name(error["loc"]) == "body" else "must be a JSON object"
    if error["type"] in {"string_too_short", "too_short"} and context.get("min_length") == 1:
        return "must not be empty"
    sentence = _SENTENCES.get(error["type"])
    if sentence is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return sentence.format_map({key: value for key, value in context.items() if key != "error"})


_OBJECT = "must be a JSON object; send it with Content-Type: application/json"
_NO_OBJECT = frozenset({"model_type", "model_attributes_type", "dict_type"})
_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request; leave it out",
    "string_type": "must be a string",
    "string_too_short": "must have {min_length} characters or more",
    "string_too_long": "must have {max_length} characters at most",
    "list_type": "must be a list",
    "too_short": "must have {min_length} entries or more",
    "too_long": "must have {max_length} entries at most",
    "int_type": "must be a whole number, without quotes or decimals",
    "int_from_float": "must be a whole number, without decimals",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}
