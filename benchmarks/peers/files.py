"""Small files by a ThreadPoolExecutor, each a part that is renamed: files.py KIND FOLDER COUNT THREADS [synced]

`synced`: the part is on disk before it gets its name, so that a power cut leaves no half of it.
"""

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

TEXT = "I am the file number {}, and small.\n"


def put(number, text):
    part = f"out/.{number}.part"
    with open(part, "x", encoding="utf-8") as file:
        file.write(text)
        sync(file)
    os.replace(part, f"out/{number}.txt")


def sync(file):
    if synced:
        file.flush()
        os.fsync(file.fileno())


def copy_file(number):
    part = f"out/.{number}.part"
    with open(f"{folder}/{number}.txt", "rb") as source, open(part, "xb") as file:
        shutil.copyfileobj(source, file)
        sync(file)
    os.replace(part, f"out/{number}.txt")


def write_file(number):
    put(number, TEXT.format(number))


def template(number):
    put(number, page.render(item=number))


if __name__ == "__main__":
    kind, folder, count, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5])
    synced = sys.argv[5:] == ["synced"]
    if kind == "template":
        from jinja2 import Environment

        with open(f"{folder}/page.txt", encoding="utf-8") as file:
            page = Environment(keep_trailing_newline=True).from_string(file.read())
    os.makedirs("out")
    with ThreadPoolExecutor(threads) as pool:
        done = sum(1 for _ in pool.map(globals()[kind], range(count)))
    assert done == count, done
