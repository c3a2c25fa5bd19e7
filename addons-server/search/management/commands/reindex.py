"""Writes the search index anew."""

from django.core.management.base import BaseCommand

from search import index


class Command(BaseCommand):
    """Write the search index anew, whole or not at all."""

    help = "Writes the search index anew, in one transaction: searches go on meanwhile."

    def handle(self, *args, **options):
        """Rebuild and tell."""
        addons, entries = index.rebuild()
        self.stdout.write(f"{addons} add-ons indexed by {entries} entries")
