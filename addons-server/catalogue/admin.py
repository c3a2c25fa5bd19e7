"""The catalogue in the admin."""

from django.contrib import admin

from catalogue.models import Addon, Category, Support, Version


class SupportInline(admin.TabularInline):
    """The apps of an add-on."""

    model = Support
    extra = 1


class VersionInline(admin.StackedInline):
    """The versions of an add-on."""

    model = Version
    extra = 0


@admin.register(Addon)
class AddonAdmin(admin.ModelAdmin):
    """Add-ons: found by name, most used first."""

    list_display = ["name", "kind", "users", "owner", "created"]
    list_filter = ["kind", "support__app"]
    list_select_related = ["owner"]
    search_fields = ["name", "slug", "guid"]
    prepopulated_fields = {"slug": ["name"]}
    autocomplete_fields = ["owner", "categories"]
    date_hierarchy = "created"
    inlines = [SupportInline, VersionInline]


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    """Categories: by app."""

    list_display = ["name", "app", "slug", "count"]
    list_filter = ["app"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Version)
class VersionAdmin(admin.ModelAdmin):
    """Versions: the newest of all add-ons."""

    list_display = ["addon", "number", "created"]
    list_select_related = ["addon"]
    search_fields = ["addon__name", "number"]
    autocomplete_fields = ["addon"]
    date_hierarchy = "created"
