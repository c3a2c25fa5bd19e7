"""The catalogue for programs: read-only JSON, in pages."""

from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.viewsets import ReadOnlyModelViewSet

from api.serializers import (
    AddonDetailSerializer,
    AddonSerializer,
    CategorySerializer,
    ReviewSerializer,
)
from catalogue.models import Addon, Category
from locales.prefixes import App
from ratings.models import Review
from search import index
from search.views import LONGEST

# No longer than the number of a row can be.
KEY = r"[0-9]{1,18}"


def _chosen(request, name, known):
    """Return a parameter of the query; refuse one whose value is unknown."""
    value = request.query_params.get(name, "")
    if value and value not in known:
        raise ValidationError({name: f"is none of {', '.join(known)}"})
    return value


class AddonViewSet(ReadOnlyModelViewSet):
    """Add-ons: ?app=, ?kind=, ?category= and ?sort= narrow them down and put them in order."""

    lookup_field = "slug"
    lookup_value_regex = r"[-\w]+"

    def get_queryset(self):
        """Return the add-ons that were asked for."""
        sort = _chosen(self.request, "sort", list(Addon.objects.all().SORTS)) or "users"
        return self._narrowed().sorted(sort)

    def get_serializer_class(self):
        """Tell more of a single one."""
        return AddonDetailSerializer if self.action == "retrieve" else AddonSerializer

    @action(detail=False)
    def search(self, request):
        """List the add-ons in which the words of ?q= occur, the most relevant first."""
        words = request.query_params.get("q", "").replace("\0", " ")[:LONGEST]
        found = index.find(self._narrowed(), words)
        order = ["-relevance"] if "relevance" in found.query.annotations else []
        page = self.paginate_queryset(found.order_by(*order, "-users", "name"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def _narrowed(self):
        """Return the add-ons of the app, kind and category that were asked for."""
        app, kind = _chosen(self.request, "app", App.values), _chosen(self.request, "kind", Addon.Kind.values)
        category = self.request.query_params.get("category", "").replace("\0", "")
        wanted = {"support__app": app, "kind": kind, "categories__slug": category, "categories__app": category and app}
        found = Addon.objects.for_cards().prefetch_related("support", "categories", "versions")
        return found.filter(**{field: value for field, value in wanted.items() if value}).distinct()


class CategoryViewSet(ReadOnlyModelViewSet):
    """Categories: ?app= narrows them down."""

    serializer_class = CategorySerializer
    lookup_value_regex = KEY

    def get_queryset(self):
        """Return the categories that were asked for."""
        app = _chosen(self.request, "app", App.values)
        return Category.objects.filter(app=app) if app else Category.objects.all()


class ReviewViewSet(ReadOnlyModelViewSet):
    """Reviews: ?addon= takes those of one add-on, by its slug."""

    serializer_class = ReviewSerializer
    lookup_value_regex = KEY

    def get_queryset(self):
        """Return the reviews that were asked for."""
        addon = self.request.query_params.get("addon", "").replace("\0", "")
        found = Review.objects.select_related("addon", "user")
        return found.filter(addon__slug=addon) if addon else found
