"""Reviews in the admin."""

from django.contrib import admin

from ratings.models import Review


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    """Reviews: looked at, and taken away when they must be."""

    list_display = ["addon", "user", "score", "created"]
    list_filter = ["score"]
    list_select_related = ["addon", "user"]
    search_fields = ["addon__name", "user__username", "body"]
    autocomplete_fields = ["addon", "user"]
    date_hierarchy = "created"
