"""An OpenSearch or Elasticsearch, where SEARCH_URL names one: it is asked first, and the index of the database when it is away.

It holds the words of each add-on as the database does, ranks by the same weights, and is spoken to in plain HTTP, so both
servers will do in any version since 7.10. What is in it can be made anew from the database at any time, by reindex.
"""

import json
import logging
import uuid
from collections import defaultdict
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings

from search.words import terms

log = logging.getLogger(__name__)

WEIGHTS = {"name": 12, "summary": 4, "description": 1}
# As many as the server gives at once.
MOST = 10_000
BATCH = 500
# For so many seconds a visitor waits, and is answered by the database then; and for so many who rebuilds it.
PATIENCE, REBUILDING = 2, 60
MAPPINGS = {"dynamic": "strict", "properties": {field: {"type": "keyword"} for field in WEIGHTS}}

# No proxy of the environment is between us and a server of our own.
_opener = build_opener(ProxyHandler({}))


class Away(Exception):
    """The server does not do what it is asked for."""


def scores(words, shortest):
    """Return the keys of the add-ons in which all words occur or, unless they are shorter than that, begin a word.

    They are returned by score. It is None when there is no server, or none that answers.
    """
    if not settings.SEARCH or not words:
        return None
    query = {"bool": {"must": [_occurs(word, "term" if len(word) < shortest else "prefix") for word in words]}}
    try:
        answer = _ask("POST", _index("_search"), {"query": query, "size": MOST, "_source": False})
        found = defaultdict(list)
        for hit in answer["hits"]["hits"]:
            found[round(hit["_score"])].append(int(hit["_id"]))
    except (Away, KeyError, TypeError, ValueError) as error:
        log.warning("the database searches: %s", error)
        return None
    return found


def _occurs(word, how):
    """Return what finds a word in any field, and weighs it."""
    fields = [{"constant_score": {"filter": {how: {field: word}}, "boost": weight}} for field, weight in WEIGHTS.items()]
    return {"bool": {"should": fields, "minimum_should_match": 1}}


def put(addons):
    """Tell of add-ons that are new or have changed. What goes wrong is not the visitor's who saves one."""
    if not settings.SEARCH:
        return
    try:
        # the name is an alias, which reindex makes: what is written before has nowhere to be
        _write(_index("_bulk?refresh=true&require_alias=true"), addons)
    except Away as error:
        log.warning("search does not know of %d add-ons, until reindex is run: %s", len(addons), error)


def rebuild(addons):
    """Write all add-ons into a new index, and let it take the place of the old one in one step."""
    if not settings.SEARCH:
        return
    name = settings.SEARCH["index"]
    fresh = f"{name}-{uuid.uuid4().hex}"
    _ask("PUT", fresh, {"mappings": MAPPINGS, "settings": {"number_of_replicas": 0}}, REBUILDING)
    try:
        _write(f"{fresh}/_bulk?refresh=true", addons, REBUILDING)
        old = [index for index in _ask("GET", f"{name}-*/_alias", None, REBUILDING) if index != fresh]
        gone = [{"remove_index": {"index": index}} for index in old]
        _ask("POST", "_aliases", {"actions": [{"add": {"index": fresh, "alias": name}}, *gone]}, REBUILDING)
    except Away:
        with suppress(Away):
            _ask("DELETE", fresh)
        raise


def _write(path, addons, patience=PATIENCE):
    for start in range(0, len(addons), BATCH):
        lines = []
        for addon in addons[start : start + BATCH]:
            lines += [{"index": {"_id": str(addon.pk)}}, {field: terms(getattr(addon, field)) for field in WEIGHTS}]
        answer = _ask("POST", path, lines, patience)
        if answer.get("errors"):
            raise Away(f"{settings.SEARCH['server']} refuses add-ons: {str(answer)[:300]}")


def _index(action):
    return f"{settings.SEARCH['index']}/{action}"


def _ask(method, path, body=None, patience=PATIENCE):
    """Return the answer to a request, whose body is an object or the lines of a bulk. No error shows the password."""
    server = settings.SEARCH["server"]
    headers = {"Content-Type": "application/json", **settings.SEARCH["headers"]}
    if isinstance(body, list):
        headers["Content-Type"] = "application/x-ndjson"
        data = "".join(json.dumps(line) + "\n" for line in body).encode()
    else:
        data = None if body is None else json.dumps(body).encode()
    try:
        with _opener.open(Request(f"{server}/{path}", data, headers, method=method), timeout=patience) as response:
            answer = json.load(response)
    except HTTPError as error:
        with error:
            raise Away(f"{server} answers {error.code} to {method} {path}: {error.read(300)!r}") from None
    except (OSError, ValueError) as error:
        raise Away(f"{server} does not answer {method} {path}: {error}") from None
    if not isinstance(answer, dict):
        raise Away(f"{server} answers nonsense to {method} {path}")
    return answer
