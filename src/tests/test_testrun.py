"""Tests of hadjango.testrun."""

import unittest

from sandbox import BuildTestCase


class RunTest(BuildTestCase):
    """A module runs as a program, with packages that the build does not have."""

    code = "from hadjango import testrun; testrun.main('report', '-x', 'a b')"

    def setUp(self):
        super().setUp()
        self.write("report.py", "import sys, extra; print(sys.argv[1:], __name__, extra.origin)")
        self.write("../packages/extra.py", "origin = 'packages'")

    def test_packages_of_the_tests_are_found(self):
        lines = self.output(self.code, HADJANGO_TEST_PACKAGES=str(self.root.parent / "packages"))
        self.assertEqual(lines, ["['-x', 'a b'] __main__ packages"])

    def test_the_builds_own_come_first(self):
        self.write("extra.py", "origin = 'build'")
        lines = self.output(self.code, HADJANGO_TEST_PACKAGES=str(self.root.parent / "packages"))
        self.assertEqual(lines, ["['-x', 'a b'] __main__ build"])

    def test_none_are_needed(self):
        self.write("extra.py", "origin = 'build'")
        self.assertEqual(self.output(self.code), ["['-x', 'a b'] __main__ build"])


if __name__ == "__main__":
    unittest.main()
