"""The catalogue in the admin."""

from django.contrib import admin

from catalogue.models import Addon, Vote


@admin.register(Addon)
class AddonAdmin(admin.ModelAdmin):
    """Add-ons: found by name, most used first."""

    list_display = ["name", "kind", "users", "created"]
    list_filter = ["kind"]
    search_fields = ["name", "slug", "guid"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Vote)
class VoteAdmin(admin.ModelAdmin):
    """Votes: looked at, hardly changed."""

    list_display = ["addon", "created"]
    list_select_related = ["addon"]
    date_hierarchy = "created"
