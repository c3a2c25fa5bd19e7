"""What follows from saving."""

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from catalogue.models import Addon
from ratings.models import Review, Standing


@receiver(post_save, sender=Review)
def count(instance, **_):
    """Keep the add-on's standing true."""
    Standing.count(instance.addon_id)


@receiver(post_delete, sender=Review)
def count_less(instance, origin, **_):
    """Keep the add-on's standing true, unless the add-on itself is being deleted."""
    if Addon not in (type(origin), getattr(origin, "model", None)):
        Standing.count(instance.addon_id)
