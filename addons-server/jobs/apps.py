"""The app's configuration."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """What is done from time to time."""

    name = "jobs"
