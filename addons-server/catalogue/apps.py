"""The app's configuration."""

from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    """Add-ons, their versions and categories."""

    name = "catalogue"

    def ready(self):
        """Listen to what is saved."""
        from catalogue import signals  # noqa: F401, models are there only now
