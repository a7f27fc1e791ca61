"""What a payment gateway is answered."""

from typing import Literal

from pydantic import ConfigDict

from checkout.api.models.base import Answer


class EventReceived(Answer):
    """The event was taken in, now or before; it need not be sent again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"received": True}]})

    received: Literal[True] = True
