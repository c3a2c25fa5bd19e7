"""Add-ons, their versions and the categories they are found in."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from locales.prefixes import App


class NaturalManager(models.Manager):
    """Finds a row by what identifies it outside this database, so that a fixture can be loaded again."""

    def get_by_natural_key(self, *key):
        """Return the row with the key."""
        return self.get(**dict(zip(self.model.NATURAL, key, strict=True)))


class Category(models.Model):
    """A shelf of one app's add-ons."""

    NATURAL = ["app", "slug"]

    app = models.CharField(max_length=16, choices=App)
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=60)
    count = models.PositiveIntegerField(default=0, editable=False, help_text="Counted by the job category_totals.")

    objects = NaturalManager()

    class Meta:
        """By name within the app."""

        ordering = ["app", "name"]
        constraints = [models.UniqueConstraint(fields=["app", "slug"], name="category_once")]
        verbose_name_plural = "categories"

    def __str__(self):
        return f"{self.name} ({self.get_app_display()})"

    def natural_key(self):
        """Return what get_by_natural_key takes."""
        return (self.app, self.slug)

    def get_absolute_url(self):
        """Return the address of the category's page."""
        return reverse("category", args=[self.slug])


class AddonQuerySet(models.QuerySet):
    """Add-ons, narrowed and put in order."""

    SORTS = {
        "users": ["-users", "name"],
        "rating": [models.F("standing__average").desc(nulls_last=True), "-users", "name"],
        "created": ["-created", "name"],
        "name": ["name", "pk"],
    }

    def for_app(self, app):
        """Return those that are made for the app."""
        return self.filter(support__app=app)

    def for_cards(self):
        """Return them with all that a card shows."""
        return self.select_related("standing", "owner")

    def sorted(self, sort):
        """Return them in a known order."""
        return self.order_by(*self.SORTS[sort])


class Addon(models.Model):
    """Something to install into a browser or a mail program."""

    NATURAL = ["guid"]

    class Kind(models.TextChoices):
        """What an add-on can be."""

        EXTENSION = "extension", _("Extension")
        THEME = "theme", _("Theme")

    guid = models.CharField(max_length=128, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(_("name"), max_length=80)
    summary = models.CharField(_("summary"), max_length=250)
    description = models.TextField(_("description"), blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.EXTENSION)
    icon = models.ImageField(_("icon"), upload_to="icons/", blank=True)
    background = models.ImageField(_("background"), upload_to="backgrounds/", blank=True)
    users = models.PositiveIntegerField(default=0)
    hue = models.PositiveSmallIntegerField(
        default=270,
        validators=[MaxValueValidator(359)],
        help_text="Its colour, in degrees: 30 is red, 150 green, 270 blue.",
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="addons")
    categories = models.ManyToManyField(Category, blank=True, related_name="addons", verbose_name=_("categories"))
    created = models.DateTimeField(default=timezone.now)
    modified = models.DateTimeField(auto_now=True)

    objects = NaturalManager.from_queryset(AddonQuerySet)()

    class Meta:
        """The most used ones come first."""

        ordering = ["-users", "name"]
        indexes = [
            models.Index(fields=["kind", "-users", "name"], name="addon_kind_users"),
            models.Index(fields=["-users", "name"], name="addon_users"),
            models.Index(fields=["-created"], name="addon_created"),
        ]
        verbose_name = "add-on"

    def __str__(self):
        return self.name

    def natural_key(self):
        """Return what get_by_natural_key takes."""
        return (self.guid,)

    def get_absolute_url(self):
        """Return the address of the add-on's page."""
        return reverse("addon", args=[self.slug])

    @property
    def apps(self):
        """Return the apps that the add-on is made for."""
        return [App(support.app) for support in self.support.all()]


class Support(models.Model):
    """An add-on is made for an app."""

    NATURAL = ["addon__guid", "app"]

    addon = models.ForeignKey(Addon, on_delete=models.CASCADE, related_name="support")
    app = models.CharField(max_length=16, choices=App)
    minimum = models.CharField(max_length=16, blank=True, help_text="The oldest version of the app that will do.")

    objects = NaturalManager()

    class Meta:
        """Said once."""

        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["app", "addon"], name="support_once")]
        verbose_name_plural = "support"

    def __str__(self):
        return f"{self.addon}: {self.get_app_display()}"

    def natural_key(self):
        """Return what get_by_natural_key takes."""
        return (self.addon.guid, self.app)


class Version(models.Model):
    """What an add-on was at a time."""

    NATURAL = ["addon__guid", "number"]

    addon = models.ForeignKey(Addon, on_delete=models.CASCADE, related_name="versions")
    number = models.CharField(_("version"), max_length=32)
    notes = models.TextField(_("release notes"), blank=True)
    created = models.DateTimeField(default=timezone.now)

    objects = NaturalManager()

    class Meta:
        """The newest comes first."""

        ordering = ["-created", "-pk"]
        constraints = [models.UniqueConstraint(fields=["addon", "number"], name="version_once")]

    def __str__(self):
        return f"{self.addon} {self.number}"

    def natural_key(self):
        """Return what get_by_natural_key takes."""
        return (self.addon.guid, self.number)
