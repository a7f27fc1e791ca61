"""The settings, one class for each area; :class:`checkout.runtime.settings.Settings` is all of them."""
