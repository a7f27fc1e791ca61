"""Checks on values at construction: what is wrong is said once, with the field's name."""


class InvalidValue(ValueError):
    """A value that no rule can work with; ``field`` names where it stood and ``reason`` says what is allowed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def check_image(url: str | None, field: str) -> str | None:
    """An image's address, None for an empty one. Raises InvalidValue for what no page should load."""
    allowed = not url or url.startswith(("https://", "http://", "/", "data:image/"))
    require(allowed, field, "must begin with https://, http://, / or data:image/")
    return url or None


def require(condition: bool, field: str, reason: str) -> None:
    """Raise InvalidValue for the field unless the condition holds."""
    if not condition:
        raise InvalidValue(field, reason)
