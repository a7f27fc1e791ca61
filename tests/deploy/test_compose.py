"""docker-compose.yml repeats names that the code owns; here the two are held together."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from checkout.domain import search
from checkout.runtime.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
#: Variables of the compose file alone: the image's name, and the ports published on the host.
COMPOSE_ONLY = {"CHECKOUT_IMAGE"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def test_temporal_registers_the_search_attributes_of_the_domain(compose: dict[str, Any]) -> None:
    prefix = "--search-attribute="
    flags = [flag.removeprefix(prefix) for flag in compose["services"]["temporal"]["command"] if prefix in flag]
    assert dict(flag.split("=") for flag in flags) == search.TYPES


def test_no_default_of_a_setting_is_repeated(compose: dict[str, Any]) -> None:
    """A name without a value is handed on where it is set: the default stands in the code alone."""
    for name, value in compose["services"]["api"]["environment"].items():
        assert value is None or ":-" not in value or "http" in value, f"{name} has a default of the file's own"


def test_one_service_builds_the_image_that_all_run(compose: dict[str, Any]) -> None:
    shop = [service for service in compose["services"].values() if "durable-checkout" in service["image"]]
    assert len(shop) == 4
    assert [service for service in shop if "build" in service] == [compose["services"]["migrate"]]


def test_every_variable_that_is_interpolated_is_a_setting_or_the_file_s_own() -> None:
    names = set(re.findall(r"\$\{(CHECKOUT_\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert names - COMPOSE_ONLY <= SETTINGS


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in re.findall(r"\$\{(\w*(?:KEY|TOKEN|PASSWORD)):-", text):
        pytest.fail(f"{name} has a default in docker-compose.yml")
