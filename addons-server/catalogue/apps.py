"""The catalogue as a Django app."""

from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    """The add-ons and what visitors think of them."""

    name = "catalogue"
