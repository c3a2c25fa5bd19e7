"""What browsing and searching have in common: a visitor narrows the add-ons down and puts them in order."""

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.utils.translation import gettext_lazy as _

from catalogue import totals
from catalogue.models import Addon

PAGE = 24
SORTS = {"users": _("Most users"), "rating": _("Top rated"), "created": _("Newest"), "name": _("Name")}


@dataclass(frozen=True)
class Listing:
    """What was asked for; what is unknown was not asked for."""

    app: str
    kind: str = ""
    category: str = ""
    sort: str = ""

    @classmethod
    def asked_for(cls, request, **fixed):
        """Return what the query of an address asks for."""
        kind, sort = request.GET.get("kind", ""), request.GET.get("sort", "")
        given = {
            "app": request.prefix.app,
            "kind": kind if kind in Addon.Kind else "",
            "category": request.GET.get("category", ""),
            "sort": sort if sort in SORTS else "",
        }
        return cls(**(given | fixed))

    def addons(self):
        """Return the add-ons, in no order yet."""
        found = Addon.objects.for_app(self.app).for_cards()
        if self.kind:
            found = found.filter(kind=self.kind)
        if self.known_category():
            found = found.filter(categories__app=self.app, categories__slug=self.category)
        return found

    def known_category(self):
        """Return the category, if the app has it."""
        return next((category for category in totals.of(self.app) if category["slug"] == self.category), None)

    def context(self, request, found, by_relevance=False):
        """Return what the templates show: a page of what was found, and all that can be chosen."""
        if by_relevance and not self.sort:
            ordered = found.order_by("-relevance", "-users", "name")
        else:
            ordered = found.sorted(self.sort or "users")
        return {
            "page": Paginator(ordered, PAGE).get_page(request.GET.get("page")),
            "kind": self.kind,
            "kinds": Addon.Kind.choices,
            "category": self.known_category(),
            "categories": totals.of(self.app),
            "sort": self.sort,
            "sorts": SORTS.items(),
            "by_relevance": by_relevance,
        }
