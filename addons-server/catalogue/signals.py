"""What follows from saving."""

from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from catalogue import fresh, totals
from catalogue.models import Addon, Category, Support


@receiver(pre_save, sender=Category)
def keep_count(sender, instance, raw, **_):
    """Keep the count of a category that a fixture brings again: the fixture cannot know it."""
    if raw and instance.pk:
        instance.count = sender.objects.filter(pk=instance.pk).values_list("count", flat=True).first() or 0


@receiver([post_save, post_delete], sender=Category)
def recount(**_):
    """Have the category in lists."""
    totals.forget()


@receiver([post_save, post_delete], sender=Addon)
@receiver([post_save, post_delete], sender=Support)
def renew(**_):
    """Show what was saved."""
    fresh.renew()
