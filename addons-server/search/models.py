"""The index that search looks into."""

from django.db import models

from catalogue.models import Addon
from search.words import LONGEST

HEAD = 3


class Entry(models.Model):
    """A word occurs in what an add-on says of itself."""

    addon = models.ForeignKey(Addon, on_delete=models.CASCADE, related_name="entries")
    # The first letters stand for themselves because no two databases agree on when an index helps to find a beginning.
    head = models.CharField(max_length=HEAD)
    term = models.CharField(max_length=LONGEST)
    weight = models.PositiveSmallIntegerField()

    class Meta:
        """Looked up by the word."""

        indexes = [models.Index(fields=["head", "term"], name="entry_term")]
        verbose_name_plural = "entries"

    def __str__(self):
        return f"{self.term}: {self.weight}"
