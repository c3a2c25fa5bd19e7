"""The app's configuration."""

from django.apps import AppConfig


class BundlesConfig(AppConfig):
    """Bundles of the frontend."""

    name = "bundles"
