"""What several tests of the bundles need."""

import pytest

from bundles import manifest


@pytest.fixture
def project(settings, tmp_path):
    """Return a project of its own, empty as yet."""
    settings.BASE_DIR = tmp_path
    manifest._kept.cache_clear()
    yield tmp_path
    manifest._kept.cache_clear()


@pytest.fixture
def production(settings):
    """Let pages be rendered as in production."""
    settings.DEBUG, settings.TESTING = False, False
