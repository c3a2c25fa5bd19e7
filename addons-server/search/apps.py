"""The app's configuration."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """Finds add-ons by words."""

    name = "search"

    def ready(self):
        """Listen to what is saved."""
        from search import signals  # noqa: F401, models are there only now
