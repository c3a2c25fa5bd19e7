"""What all tests go by: nothing is written into the project, and no test knows of another."""

import io

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from PIL import Image

from catalogue.models import Addon
from users.models import User


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Have the fixture in the database, once for all tests: what they change is rolled back."""
    with django_db_blocker.unblock():
        call_command("loaddata", "initial", verbosity=0)


@pytest.fixture(autouse=True)
def _apart(settings, tmp_path):
    """Keep uploads out of the project, the cache empty and passwords quick."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def user(db):
    """Return somebody with an account."""
    return User.objects.create_user("ada", password="analytical engine", display_name="Ada L.")


@pytest.fixture
def other(db):
    """Return somebody else."""
    return User.objects.create_user("bruno", password="analytical engine")


@pytest.fixture
def member(client, user):
    """Return a browser in which the user is logged in."""
    client.force_login(user)
    return client


@pytest.fixture
def addon(db):
    """Return an add-on of the fixture."""
    return Addon.objects.get(slug="tab-gardener")


@pytest.fixture
def picture():
    """Return what makes a picture to upload."""

    def made(size=(64, 64), format="PNG", name=None, colour="teal"):
        out = io.BytesIO()
        Image.new("RGB", size, colour).save(out, format)
        return SimpleUploadedFile(name or f"a.{format.lower()}", out.getvalue())

    return made
