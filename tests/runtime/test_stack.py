"""How commands find what `checkout dev` runs, and what they do not take for it."""

import json
import os
import stat
from pathlib import Path

import pytest

from checkout.runtime.settings import SettingsError
from checkout.runtime.stack import (
    STACK_FILE,
    AlreadyRuns,
    ensure_secrets,
    hold,
    read_secrets,
    running_stack,
    settings_of_stack,
    write_private,
)

STACK = {
    "api": {"url": "http://127.0.0.1:8000", "pid": 1},
    "worker": {"pid": 2},
    "temporal": {"address": "127.0.0.1:9233", "ui": "http://127.0.0.1:9234", "pid": 3},
    "postgres": {"url": "postgresql:///shop?host=/run/shop", "pid": 4},
    "gateway": {"url": "http://127.0.0.1:9001", "pid": 5},
    "admin_token": "t" * 40,
}


def test_the_settings_of_the_one_that_runs(tmp_path: Path) -> None:
    with hold(tmp_path):
        secrets = ensure_secrets(tmp_path)
        write_private(tmp_path / STACK_FILE, STACK)

        settings = settings_of_stack(data_dir=tmp_path)

    assert settings.database_url == "postgresql:///shop?host=/run/shop"
    assert settings.temporal_address == "127.0.0.1:9233"
    assert settings.gateway_url == "http://127.0.0.1:9001"
    assert settings.secret("secret_key") == secrets["secret_key"]


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", "postgresql://db/other")
    with hold(tmp_path):
        write_private(tmp_path / STACK_FILE, STACK)

        settings = settings_of_stack(data_dir=tmp_path)

    assert settings.database_url == "postgresql://db/other"
    assert settings.temporal_address == "127.0.0.1:9233"


def test_the_file_of_one_that_was_killed_counts_for_nothing(tmp_path: Path) -> None:
    with hold(tmp_path):
        write_private(tmp_path / STACK_FILE, STACK)

    assert running_stack(tmp_path) is None
    with pytest.raises(SettingsError, match="no `checkout dev` runs"):
        settings_of_stack(data_dir=tmp_path).require_database_url()

    with hold(tmp_path):
        assert not (tmp_path / STACK_FILE).exists()
        assert running_stack(tmp_path) is None


def test_there_is_one_for_a_directory(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(AlreadyRuns) as error, hold(tmp_path):
        pass

    assert error.value.pid == os.getpid()


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = ensure_secrets(tmp_path)

    assert ensure_secrets(tmp_path) == first
    assert min(map(len, first.values())) >= 32
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_a_secret_that_is_missing_is_added_beside_the_others(tmp_path: Path) -> None:
    kept = ensure_secrets(tmp_path)
    del kept["admin_token"]
    (tmp_path / "secrets.json").write_text(json.dumps(kept))

    assert kept.items() < ensure_secrets(tmp_path).items()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"secret_key": 5}'])
def test_a_file_that_is_not_whole_has_no_secrets(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content)

    assert read_secrets(tmp_path) == {}


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / STACK_FILE
    write_private(path, {"which": "old"})

    with pytest.raises(TypeError):
        write_private(path, {"which": object()})

    assert json.loads(path.read_text()) == {"which": "old"}
    assert [file.name for file in tmp_path.iterdir()] == [STACK_FILE]
