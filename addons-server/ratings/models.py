"""What users think of add-ons."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalogue.models import Addon


class Review(models.Model):
    """A user's opinion of an add-on, which the user may change."""

    addon = models.ForeignKey(Addon, on_delete=models.CASCADE, related_name="reviews")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reviews")
    score = models.PositiveSmallIntegerField(_("score"), validators=[MinValueValidator(1), MaxValueValidator(5)])
    body = models.TextField(_("review"), max_length=4000, blank=True)
    created = models.DateTimeField(default=timezone.now)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        """The newest come first."""

        ordering = ["-created", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["addon", "user"], name="review_once"),
            models.CheckConstraint(condition=models.Q(score__range=(1, 5)), name="review_score"),
        ]
        indexes = [models.Index(fields=["addon", "-created"], name="review_addon_created")]

    def __str__(self):
        return f"{self.addon}: {self.score}"


class Standing(models.Model):
    """What all reviews of an add-on come to: kept, so that a list can be put in order by it."""

    addon = models.OneToOneField(Addon, on_delete=models.CASCADE, related_name="standing", primary_key=True)
    average = models.FloatField(default=0, db_index=True)
    reviews = models.PositiveIntegerField(default=0)

    def __str__(self):
        return f"{self.addon}: {self.average:.1f} of {self.reviews}"

    @classmethod
    def count(cls, addon_id):
        """Count an add-on's reviews anew; whoever counts at the same time waits for us."""
        with transaction.atomic():
            if Addon.objects.select_for_update().filter(pk=addon_id).values("pk").first():
                cls.objects.update_or_create(addon_id=addon_id, defaults=_of(addon_id))


def _of(addon_id):
    """Return average and number of an add-on's reviews."""
    found = Review.objects.filter(addon_id=addon_id).aggregate(average=models.Avg("score"), reviews=models.Count("pk"))
    return {"average": found["average"] or 0, "reviews": found["reviews"]}


def count_all():
    """Count the reviews of all add-ons anew; return how many add-ons have or had any."""
    counted = Addon.objects.filter(models.Q(reviews__isnull=False) | models.Q(standing__isnull=False))
    keys = list(counted.order_by("pk").values_list("pk", flat=True).distinct())
    for key in keys:
        Standing.count(key)
    return len(keys)
