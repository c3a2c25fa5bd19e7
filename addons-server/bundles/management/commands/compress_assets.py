"""Makes the bundles of style sheets and scripts, before collectstatic collects them."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bundles import manifest
from bundles.bundler import BundleError, bundle
from bundles.stamp import StampError


class Command(BaseCommand):
    """Bundle the frontend."""

    help = "Bundles and minifies frontend/ with esbuild, under names that carry the stamp of this build."
    # Bundling needs neither the database nor sound URLs.
    requires_system_checks = []

    def handle(self, *args, **options):
        """Make the bundles, and say what was made."""
        out = manifest.directory()
        try:
            stamp, names = bundle(Path(settings.BASE_DIR), out)
        except (BundleError, StampError, OSError) as error:
            raise CommandError(f"the bundles are not made: {error}") from error
        if options["verbosity"] > 0:
            self.stdout.write(f"{len(names)} bundles of stamp {stamp[:12]} in {out}")
