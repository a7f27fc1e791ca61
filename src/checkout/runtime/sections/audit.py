"""How often checkouts are looked for whose workflow is gone."""

from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import setting


class AuditSettings(BaseSettings):
    """The audit (G6)."""

    audit_every: int = setting(
        60,
        "Seconds between two looks for open checkouts whose workflow was terminated or lost; 0: none",
        "whole seconds, 0 to 86400",
        ge=0,
        le=86_400,
    )
    audit_grace: int = setting(
        30,
        "Seconds for which a checkout that has just begun is not looked at",
        "whole seconds, 0 to 3600",
        ge=0,
        le=3600,
    )
