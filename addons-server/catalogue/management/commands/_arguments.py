"""What the commands that generate take."""

from argparse import ArgumentTypeError


def number(text):
    """Return how many, at least one."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST}")
    return int(text)


MOST = 100_000


def add_to(parser):
    """Take how many, and the seed."""
    parser.add_argument("number", type=number, help="how many")
    parser.add_argument("--seed", help="the same seed makes up the same in the same database")
