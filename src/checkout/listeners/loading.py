"""Which listeners a shop has: ours as the settings want them, and those of the modules that ``LISTENERS`` names."""

from collections import Counter
from collections.abc import Iterator

from checkout.domain.webhooks import WEBHOOKS
from checkout.listeners.abandoned_cart import reminders
from checkout.listeners.ops_notice import ops_notices
from checkout.listeners.order_mail import order_mails
from checkout.listeners.registry import Listener, Listeners, marked
from checkout.runtime.settings import PREFIX, Settings, SettingsError
from checkout.runtime.shops_own import import_named


def listeners_of(settings: Settings) -> Listeners:
    """All listeners. Raises SettingsError where a module cannot be imported or has none, or two have the same name."""
    found = [*order_mails(settings), *ops_notices(settings), *reminders(settings)]
    for place in settings.listeners:
        found += _load(place)
    reserved = [one.name for one in found if one.name == WEBHOOKS]
    if reserved:
        raise SettingsError(f"{PREFIX}LISTENERS: a listener is called {WEBHOOKS}, which is ours; give it another name")
    twice = sorted(name for name, count in Counter(one.name for one in found).items() if count > 1)
    if twice:
        raise SettingsError(f"{PREFIX}LISTENERS: two listeners are called {twice[0]}; give one another name")
    return Listeners(tuple(found), webhooks=True)


def _load(place: str) -> list[Listener]:
    """Those of ``module``, or the one of ``module:function``."""
    module, _, function = place.partition(":")
    found = list(_listeners_in(vars(import_named("LISTENERS", module)), function))
    if not found:
        missing = f"{function}, which is no listener of {module}" if function else f"{module}, which has no listeners"
        raise SettingsError(f"{PREFIX}LISTENERS names {missing}: mark the function with @listener(event)")
    return found


def _listeners_in(names: dict[str, object], function: str) -> Iterator[Listener]:
    """Each once, under however many names it stands there."""
    seen = set()
    for name, value in names.items():
        one = marked(value)
        if one is not None and function in {"", name} and id(value) not in seen:
            seen.add(id(value))
            yield one
