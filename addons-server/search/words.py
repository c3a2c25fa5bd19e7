"""What counts as a word: the same when it is written and when it is looked for."""

import re
import unicodedata

LONGEST = 40
SHORTEST = 2

_WORD = re.compile(r"[^\W_]+")


def terms(text):
    """Return the words of a text in small letters and without accents, so that every database compares them alike."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [word[:LONGEST] for word in _WORD.findall(plain) if len(word) >= SHORTEST]
