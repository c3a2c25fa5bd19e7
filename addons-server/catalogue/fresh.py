"""Parts of pages lie in the cache under a mark that changes when an add-on is saved.

Caches of single processes (locmem) do not hear of what another process saves: there a part is out of date until it
expires, which is soon.
"""

import uuid

from django.core.cache import cache

KEY = "fresh"


def mark():
    """Return the mark of now."""
    return cache.get(KEY, "")


def renew():
    """Have all parts rendered anew."""
    cache.set(KEY, uuid.uuid4().hex, None)
