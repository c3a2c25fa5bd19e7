"""The app's configuration."""

from django.apps import AppConfig


class RatingsConfig(AppConfig):
    """What users think of add-ons."""

    name = "ratings"

    def ready(self):
        """Listen to what is saved."""
        from ratings import signals  # noqa: F401, models are there only now
