"""Add-ons and the votes for them."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone


class AddonManager(models.Manager):
    """Finds an add-on by what identifies it outside this database, so that a fixture can be loaded again."""

    def get_by_natural_key(self, guid):
        """Return the add-on with the guid."""
        return self.get(guid=guid)


class Addon(models.Model):
    """Something to install into a browser."""

    class Kind(models.TextChoices):
        """What an add-on can be."""

        EXTENSION = "extension", "Extension"
        THEME = "theme", "Theme"

    guid = models.CharField(max_length=255, unique=True)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    summary = models.CharField(max_length=250)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.EXTENSION)
    users = models.PositiveIntegerField(default=0)
    hue = models.PositiveSmallIntegerField(
        default=270,
        validators=[MaxValueValidator(359)],
        help_text="Its colour, in degrees: 30 is red, 150 green, 270 blue.",
    )
    created = models.DateTimeField(default=timezone.now)

    objects = AddonManager()

    class Meta:
        """The most used ones come first."""

        ordering = ["-users", "name"]
        indexes = [models.Index(fields=["kind", "-users", "name"], name="addon_kind_users")]
        verbose_name = "add-on"

    def __str__(self):
        return self.name

    def natural_key(self):
        """Return what get_by_natural_key takes."""
        return (self.guid,)

    def get_absolute_url(self):
        """Return the address of the add-on's page."""
        return reverse("catalogue:addon", args=[self.slug])


class Vote(models.Model):
    """One visitor found an add-on useful."""

    addon = models.ForeignKey(Addon, on_delete=models.CASCADE, related_name="votes")
    created = models.DateTimeField(default=timezone.now)

    def __str__(self):
        return f"{self.addon}, {self.created:%Y-%m-%d %H:%M}"
