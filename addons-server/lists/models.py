"""Users' collections of add-ons."""

from django.conf import settings
from django.db import models
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalogue.models import Addon


class CollectionQuerySet(models.QuerySet):
    """Collections, narrowed."""

    def seen_by(self, user):
        """Return those that a visitor may see: the public ones and the visitor's own."""
        return self.filter(Q(public=True) | Q(owner=user) if user.is_authenticated else Q(public=True))

    def for_cards(self):
        """Return them with all that a card shows."""
        return self.select_related("owner").annotate(size=Count("addons")).order_by("-created", "-pk")


class Collection(models.Model):
    """Add-ons that somebody finds worth showing together."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="collections")
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=500, blank=True)
    public = models.BooleanField(_("public"), default=True, help_text=_("Everybody can see it."))
    addons = models.ManyToManyField(Addon, blank=True, related_name="collections")
    created = models.DateTimeField(default=timezone.now)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        """The newest come first."""

        ordering = ["-created", "-pk"]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        """Return the address of the collection's page."""
        return reverse("collection", args=[self.pk])
