"""Caches without which the site goes on: it is slower then, and nothing worse."""

import functools
import logging

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def _spared(name, otherwise):
    """Return Django's method of the name, but one that returns something else when the server is away."""
    method = getattr(RedisCache, name)

    @functools.wraps(method)
    def spared(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except RedisError as error:
            log.warning("Redis does not answer: %s", type(error).__name__)
            return otherwise(*args, **kwargs)

    return spared


class Redis(RedisCache):
    """Django's, but a server that is away is an empty cache, as one of memcached is with ignore_exc."""

    get = _spared("get", lambda key, default=None, version=None: default)
    get_many = _spared("get_many", lambda *args, **kwargs: {})
    set = _spared("set", lambda *args, **kwargs: None)
    add = _spared("add", lambda *args, **kwargs: False)
    delete = _spared("delete", lambda *args, **kwargs: False)
    delete_many = _spared("delete_many", lambda *args, **kwargs: None)
