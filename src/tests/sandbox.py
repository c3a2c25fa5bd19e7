"""A build to try the overlay in: a temporary directory with the overlay's files, run by a Python process of its own."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

OVERLAY = Path(__file__).resolve().parent.parent / "hadjango"

needs_django = unittest.skipUnless(importlib.util.find_spec("django"), "this Python has no Django")

# What uWSGI puts into its interpreters, as far as the overlay uses it; it writes down what it is told.
UWSGI = """
import os

worker = int(os.environ.get("WORKER", "0"))
titles, logvars = [], {}
setprocname = titles.append
set_logvar = logvars.__setitem__


def worker_id():
    return worker
"""


class BuildTestCase(unittest.TestCase):
    """A test with a build of its own, named a and tagged v1.2-3."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name).resolve() / "a"
        shutil.copytree(OVERLAY, self.root / "hadjango", ignore=shutil.ignore_patterns("__pycache__"))
        self.write("build.json", json.dumps({"name": "a", "tag": "v1.2-3", "stamp": "0123456789abcdef", "complete": True}))
        (self.root / "uwsgi.d").mkdir()

    def write(self, name, text):
        """Write a file of the build."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())

    def environment(self, **values):
        """Write the build's env.json."""
        self.write("uwsgi.d/env.json", json.dumps(values))

    def under_uwsgi(self):
        """Let the build be run by a stand-in for uWSGI; the variable WORKER says which of its processes."""
        self.write("../server/uwsgi.py", UWSGI)

    def python(self, code, **variables):
        """Run code in the build and return the finished process."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HADJANGO_", "DJANGO_"))}
        server = str(self.root.parent / "server")
        paths = os.pathsep.join(filter(None, [server, clean.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=self.root,
            env={**clean, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=60,
        )

    def output(self, code, **variables):
        """Run code that succeeds and return the lines it prints."""
        done = self.python(code, **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def failure(self, code, **variables):
        """Run code that fails and return the last line of its traceback."""
        done = self.python(code, **variables)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stderr.splitlines()[-1]
