"""The site is kept in the admin."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.urls import reverse

pytestmark = pytest.mark.django_db

OURS = ("catalogue", "users", "ratings", "lists", "search")
MODELS = [model for model in admin.site._registry if model._meta.app_label in OURS]


@pytest.fixture
def root(client):
    """Return a browser in which somebody is logged in who may do anything."""
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_and_forms(root, model):
    call_command("generate_themes", "2", verbosity=0)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert root.get(reverse(f"{name}_changelist"), {"q": "a"}).status_code == 200
    assert root.get(reverse(f"{name}_changelist")).status_code == 200
    assert root.get(reverse(f"{name}_change", args=[model.objects.first().pk])).status_code == 200


def test_everything_is_registered():
    kept = {model for label in OURS for model in apps.get_app_config(label).get_models()}
    inline = {"Support", "Standing"}
    assert {model.__name__ for model in kept - set(MODELS)} == inline


def test_the_way_from_the_admin_to_a_page(root, addon):
    page = root.get(reverse("admin:catalogue_addon_change", args=[addon.pk])).content.decode()
    link = reverse("admin:view_on_site", args=[ContentType.objects.get_for_model(addon).pk, addon.pk])
    assert link in page
    assert root.get(link)["Location"].endswith("/en-US/firefox/addon/tab-gardener/")
