"""The table of settings in the docs is that of the code."""

from pathlib import Path

from checkout.runtime.settings import PREFIX, Settings

DOCS = Path(__file__).parents[2] / "docs" / "run.md"


def _table() -> str:
    rows = ["| variable | default | what it is | allowed |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        assert isinstance(field.json_schema_extra, dict)
        default = field.default
        shown = "" if default in (None, ()) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        allowed = str(field.json_schema_extra["allowed"])
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} | {allowed} |")
    return "\n".join(rows)


def test_every_setting_stands_in_the_docs() -> None:
    table = _table()
    assert table in DOCS.read_text(), f"put this table at the end of {DOCS.name}:\n\n{table}"
