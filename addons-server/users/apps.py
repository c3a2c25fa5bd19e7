"""The app's configuration."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """The people who visit, and what they tell of themselves."""

    name = "users"
