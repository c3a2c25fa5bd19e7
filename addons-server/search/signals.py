"""What follows from saving."""

from django.db.models.signals import post_save
from django.dispatch import receiver

from catalogue.models import Addon
from search import index


@receiver(post_save, sender=Addon)
def keep(instance, **_):
    """Keep the index true."""
    index.update(instance)
