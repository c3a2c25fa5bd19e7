"""Makes up extensions."""

from random import Random

from django.core.management.base import BaseCommand

from catalogue import generate
from catalogue.management.commands import _arguments
from locales.prefixes import App


class Command(BaseCommand):
    """Make up extensions for an app."""

    help = "Makes up extensions for an app, with icons, versions, categories, reviews and a collection."

    def add_arguments(self, parser):
        """Take the app, and how many."""
        parser.add_argument("--app", required=True, choices=App.values, metavar="NAME", help=", ".join(App.values))
        _arguments.add_to(parser)

    def handle(self, *args, app, number, seed, **options):
        """Make them up, and tell."""
        made = generate.extensions(Random(seed), number, app)
        self.stdout.write(f"{len(made)} extensions made up for {app}")
