"""Makes up themes."""

from random import Random

from django.core.management.base import BaseCommand

from catalogue import generate
from catalogue.management.commands import _arguments


class Command(BaseCommand):
    """Make up themes for all apps."""

    help = "Makes up themes for all apps, with backgrounds, versions, categories, reviews and a collection."

    def add_arguments(self, parser):
        """Take how many."""
        _arguments.add_to(parser)

    def handle(self, *args, number, seed, **options):
        """Make them up, and tell."""
        made = generate.themes(Random(seed), number)
        self.stdout.write(f"{len(made)} themes made up")
