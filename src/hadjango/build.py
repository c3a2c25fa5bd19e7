"""The build this code runs in: where it lies, what it is called, and the environment it gives the application.

A build's root is the directory above this package. The path is resolved, so code that was reached through a pointer such
as `_live` still belongs to its own build after the pointer has moved.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Build:
    """The name, the tag and the stamp of a build; as a string the way process titles show them: `a [v1.2-3]`."""

    name: str
    tag: str
    stamp: str

    def __str__(self):
        return f"{self.name} [{self.tag}]"

    @property
    def static_path(self):
        """The path of its static files' URLs, which no build before or after it has: browsers keep them for ever."""
        return f"/static/{self.name}-{self.stamp[:7]}/"


def current():
    """Return the Build that this code is part of, as its manifest names it."""
    path = ROOT / "build.json"
    manifest = read_json(path)
    try:
        return Build(manifest["name"], manifest["tag"], manifest["stamp"])
    except KeyError as missing:
        raise ValueError(f"{path} has no {missing}") from None


def load_environment():
    """Put the build's env.json into os.environ, over what the process was started with.

    The values come in a file because uWSGI would expand placeholders in its own configuration. The file wins over the
    process environment, which stems from an emperor that serves every build. A build without the file is as good.
    """
    try:
        os.environ.update(read_json(ROOT / "uwsgi.d" / "env.json"))
    except FileNotFoundError:
        pass


def read_json(path):
    """Return the content of a JSON file; json's own errors do not name the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
