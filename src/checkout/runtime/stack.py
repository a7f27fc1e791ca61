"""What ``checkout dev`` runs, as ``DATA_DIR`` tells it to scripts and to the other commands.

``dev.json`` says what runs where, ``secrets.json`` keeps the secrets that were made once, ``lock`` is held meanwhile.
"""

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from checkout.runtime.settings import PREFIX, Settings, load_settings

STACK_FILE = "dev.json"
SECRETS_FILE = "secrets.json"
LOCK_FILE = "lock"

_SECRETS = ("secret_key", "admin_token", "gateway_api_key", "gateway_webhook_secret")


class AlreadyRuns(Exception):
    """Another ``checkout dev`` runs on this directory; ``pid`` is its process, where it has told it."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"`checkout dev` runs already{f' (pid {pid})' if pid else ''}")
        self.pid = pid


@contextlib.contextmanager
def hold(data_dir: Path) -> Iterator[None]:
    """Be the one ``checkout dev`` of this directory; the kernel lets go when the process ends, however it ends.

    Raises AlreadyRuns.
    """
    file = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.read(file, 32).decode(errors="replace").strip()
            raise AlreadyRuns(int(said) if said.isdecimal() else None) from None
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        # From one that was killed: whoever reads it would take it for ours.
        (data_dir / STACK_FILE).unlink(missing_ok=True)
        yield
    finally:
        os.close(file)


def running_stack(data_dir: Path) -> dict[str, Any] | None:
    """What ``dev.json`` says while a ``checkout dev`` runs on this directory, else None (a killed one leaves it)."""
    try:
        with (data_dir / LOCK_FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                stack: dict[str, Any] = json.loads((data_dir / STACK_FILE).read_text(encoding="utf-8"))
                return stack
    except (OSError, ValueError):
        return None
    return None


def settings_of_stack(**overrides: Any) -> Settings:
    """The settings, where unset those of the ``checkout dev`` that runs on ``DATA_DIR``: how commands find it.

    Raises SettingsError.
    """
    settings = load_settings(**overrides)
    stack = running_stack(settings.data_dir)
    if stack is None:
        return settings
    offered = {
        "database_url": stack["postgres"]["url"],
        "temporal_address": stack["temporal"]["address"],
        "temporal_ui_url": stack["temporal"]["ui"],
        "api_url": stack["api"]["url"],
        **({"gateway_url": stack["gateway"]["url"]} if stack["gateway"] else {}),
        **read_secrets(settings.data_dir),
    }
    chosen = settings.model_fields_set
    return load_settings(**{name: value for name, value in offered.items() if name not in chosen} | overrides)


def read_secrets(data_dir: Path) -> dict[str, str]:
    """The secrets that ``ensure_secrets`` made; none where there is no file, or it is not whole."""
    try:
        kept = json.loads((data_dir / SECRETS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: kept[name] for name in _SECRETS if isinstance(kept, dict) and isinstance(kept.get(name), str)}


def ensure_secrets(data_dir: Path) -> dict[str, str]:
    """The directory's secrets, by the names of their settings; those that are not there yet are made, at random."""
    kept = read_secrets(data_dir)
    if kept.keys() < set(_SECRETS):
        kept = {name: kept.get(name, secrets.token_urlsafe(32)) for name in _SECRETS}
        write_private(data_dir / SECRETS_FILE, kept)
    return kept


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step, readable by its owner alone: a reader sees the old one or the new one, whole."""
    text = json.dumps(content, indent=2)
    descriptor, making = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
    Path(making).replace(path)


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as the environment variables that give them to another process."""
    return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
