"""The index in the admin."""

from django.contrib import admin

from search.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    """Entries: looked at to understand a search, never changed by hand."""

    list_display = ["term", "addon", "weight"]
    list_select_related = ["addon"]
    search_fields = ["term"]

    def has_add_permission(self, request):
        """Leave it to the index."""
        return False

    def has_change_permission(self, request, obj=None):
        """Leave it to the index."""
        return False
