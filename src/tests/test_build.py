"""Tests of hadjango.build."""

import unittest

from sandbox import BuildTestCase


class CurrentTest(BuildTestCase):
    """Code knows the build it is part of."""

    code = "from hadjango import build; print(build.current()); print(build.ROOT)"

    def test_names_the_build(self):
        self.assertEqual(self.output(self.code), ["a [v1.2-3]", str(self.root)])

    def test_root_is_no_pointer(self):
        (self.root.parent / "_live").symlink_to("a")
        code = f"import sys; sys.path.insert(0, {str(self.root.parent / '_live')!r}); {self.code}"
        self.assertEqual(self.output(code)[1], str(self.root))

    def test_incomplete_manifest(self):
        self.write("build.json", '{"name": "a"}')
        self.assertEqual(self.failure(self.code), f"ValueError: {self.root}/build.json has no 'tag'")


class EnvironmentTest(BuildTestCase):
    """The build's file becomes the environment."""

    code = "import os; from hadjango import build; build.load_environment(); print(os.environ.get('COLOUR'))"

    def test_wins_over_the_process(self):
        self.environment(COLOUR="50% $(HOME) @(exec://date)")
        self.assertEqual(self.output(self.code, COLOUR="of the emperor"), ["50% $(HOME) @(exec://date)"])

    def test_may_be_missing(self):
        self.assertEqual(self.output(self.code, COLOUR="red"), ["red"])

    def test_broken_file_is_named(self):
        self.write("uwsgi.d/env.json", "{")
        self.assertIn(f"{self.root}/uwsgi.d/env.json is not JSON", self.failure(self.code))


if __name__ == "__main__":
    unittest.main()
