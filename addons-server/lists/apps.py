"""The app's configuration."""

from django.apps import AppConfig


class ListsConfig(AppConfig):
    """Users' collections of add-ons."""

    name = "lists"
