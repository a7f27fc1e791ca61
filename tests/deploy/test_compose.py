"""docker-compose.yml repeats names that the code owns; here the two are held together."""

import re
import tomllib
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


@pytest.mark.parametrize("service", ["migrate", "gateway", "worker", "api"])
def test_every_variable_of_a_service_is_a_setting(compose: dict[str, Any], service: str) -> None:
    assert set(compose["services"][service]["environment"]) <= SETTINGS


def test_every_variable_that_is_interpolated_is_a_setting_or_the_file_s_own() -> None:
    names = set(re.findall(r"\$\{(CHECKOUT_\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert names - COMPOSE_ONLY <= SETTINGS


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in re.findall(r"\$\{(\w*(?:KEY|TOKEN|PASSWORD)):-", text):
        pytest.fail(f"{name} has a default in docker-compose.yml")


def test_the_image_installs_pinned_run_time_dependencies_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {
        line.partition("==")[0].lower().replace("_", "-") for line in (ROOT / "requirements.lock").read_text().split()
    }
    for requirement in project["dependencies"]:
        assert re.split(r"[\[<>=~! ]", requirement)[0].lower() in pinned, f"{requirement} is not in requirements.lock"
    assert not set(project["dependencies"]) & {*project["optional-dependencies"]["dev-servers"]}
