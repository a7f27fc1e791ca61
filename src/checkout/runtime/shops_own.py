"""Code of the shop's own, which settings name as ``module`` or ``module:name``."""

import importlib
from types import ModuleType

from checkout.runtime.setting_kinds import PREFIX
from checkout.runtime.settings import SettingsError


def import_named(setting: str, module: str) -> ModuleType:
    """The module that a setting names. Raises SettingsError where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise SettingsError(
            f"{PREFIX}{setting} names {module}, which cannot be imported: {type(error).__name__}: {error}"
        ) from error
