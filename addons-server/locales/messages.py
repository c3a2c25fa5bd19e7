"""The texts that the project's code and templates hold for translation, and their translations."""

import ast
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.utils.translation.template import templatize

# Where the texts stand in a call, by the function's name.
CALLS = {"gettext": 1, "gettext_lazy": 1, "gettext_noop": 1, "_": 1, "ngettext": 2, "ngettext_lazy": 2}
BASE = Path(__file__).resolve().parent.parent


def used():
    """Return all texts for translation, each with a place where it is used. One with a plural is a tuple of both."""
    found = {}
    for path in _sources():
        source = path.read_text()
        for text in _in_template(source) if path.suffix == ".html" else _in_code(ast.parse(source)):
            found.setdefault(text, str(path.relative_to(BASE)))
    return found


def _sources():
    """Yield the project's own code and templates: beside them may lie a virtualenv."""
    ours = [Path(config.path) for config in apps.get_app_configs() if Path(config.path).parent == BASE]
    for directory in [BASE / "addons", BASE / "templates", *ours]:
        for path in sorted(directory.rglob("*")):
            if path.suffix in {".py", ".html"} and "tests" not in path.parts:
                yield path


def _in_code(tree):
    """Yield the texts of all calls for translation."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            texts = node.args[: CALLS[node.func.id]]
            if all(isinstance(text, ast.Constant) for text in texts):
                yield texts[0].value if len(texts) == 1 else tuple(text.value for text in texts)


def _in_template(source):
    """Yield the texts of a template, which Django turns into calls between much that is none."""
    rest = templatize(source)
    for start in range(len(rest)):
        if rest.startswith((" gettext(", " ngettext(", " _("), start):
            yield from _in_code(ast.parse(_call(rest[start + 1 :])))


def _call(text):
    """Return the call that a text begins with: up to the first bracket with which it is Python."""
    end = 0
    while True:
        end = text.index(")", end) + 1
        try:
            ast.parse(text[:end])
        except SyntaxError:
            continue
        return text[:end]


def files():
    """Return the files of translations."""
    return sorted(file for root in settings.LOCALE_PATHS for file in Path(root).glob("*/LC_MESSAGES/*.po"))


def catalogue(file):
    """Return the translations in a file."""
    with file.open("rb") as opened:
        return read_po(opened, abort_invalid=True)


def compile(file):
    """Write what gettext reads beside a file of translations, whole or not at all; return where."""
    made, part = file.with_suffix(".mo"), file.with_suffix(".mo.part")
    with part.open("wb") as opened:
        write_mo(opened, catalogue(file))
    part.replace(made)
    return made
