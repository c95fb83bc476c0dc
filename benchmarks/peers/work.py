"""What peers do with an item. A module of its own, so that their processes import it instead of getting its code each time."""

import hashlib
import json


def noop(item):
    return item * 2


def row(line):
    return json.loads(line)["n"] * 2


def value(row):
    return row["n"] * 2


def ms(item):
    """Works for about a millisecond. In C: a loop over numbers takes 5-10 % more or less by where memory happens to lie."""
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 5_000)
    return item
