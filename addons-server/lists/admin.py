"""Collections in the admin."""

from django.contrib import admin

from lists.models import Collection


@admin.register(Collection)
class CollectionAdmin(admin.ModelAdmin):
    """Collections: found by name and owner."""

    list_display = ["name", "owner", "public", "created"]
    list_filter = ["public"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username"]
    autocomplete_fields = ["owner", "addons"]
