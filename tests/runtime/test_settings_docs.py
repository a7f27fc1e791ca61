"""A setting stands in the docs' table as the code has it, and gets from `.env` into containers."""

from pathlib import Path

import pytest
import yaml

from checkout.runtime.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "run.md"
#: Settings that `.env` cannot change in containers: where the file's servers are, and what `checkout dev` alone reads.
FIXED_IN_CONTAINERS = {
    PREFIX + name.upper()
    for name in Settings.model_fields
    if name in {"data_dir", "host", "http_port", "gateway_port"}
    or (name.startswith("temporal_") and name not in {"temporal_address", "temporal_ui_url"})
}


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


@pytest.mark.parametrize("service", ["migrate", "gateway", "worker", "api"])
def test_every_setting_reaches_the_containers(service: str) -> None:
    """What `.env` sets and no service is given would be without effect, and nobody would say so."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    given = {name for name in compose["services"][service]["environment"] if name.startswith(PREFIX)}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    missing, unknown = sorted(known - FIXED_IN_CONTAINERS - given), sorted(given - known)
    assert not missing, f"hand these on in docker-compose.yml, by their names alone: {missing}"
    assert not unknown, f"docker-compose.yml hands on what is no setting: {unknown}"
