"""Runs the project's tests in a build: `python -m hadjango.testrun MODULE [ARGUMENT …]`, as `python -m MODULE …` would.

What only tests need is not installed in a build. HADJANGO_TEST_PACKAGES names the directory where it is; that comes last on
Python's path, so that where both have a package the build's own is tested.
"""

import os
import runpy
import site
import sys


def main(module, *arguments):
    """Run the module as a program."""
    packages = os.environ.get("HADJANGO_TEST_PACKAGES")
    if packages:
        site.addsitedir(packages)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
