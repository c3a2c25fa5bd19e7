"""Locales and apps as a Django app."""

from django.apps import AppConfig


class LocalesConfig(AppConfig):
    """The prefix of every address, and the translations."""

    name = "locales"
