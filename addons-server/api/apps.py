"""The app's configuration."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The catalogue for programs, read-only."""

    name = "api"
