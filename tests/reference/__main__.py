"""Compares the reference with worlds' expectations and, on mutated worlds, with the product.

Prints a line for each world and exits with 1 if any differs. It writes into a temporary folder alone.
"""

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from . import compare, mutation, scripts


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m reference", description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=Path, help="the product")
    parser.add_argument("--worlds", required=True, type=Path, help="the folder of worlds")
    parser.add_argument("--only", default="", help="names of worlds, separated by commas")
    parser.add_argument("--mutated", type=int, default=6, help="how many mutated worlds follow")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first of them")
    parser.add_argument("--thorough", action="store_true", help="run the worlds as they are through the product, too")
    parser.add_argument("--keep", action="store_true", help="keep the files of what differs, and say where they are")
    return parser.parse_args()


def main():
    given = arguments()
    if not given.binary.is_file() or not given.worlds.is_dir():
        sys.exit(f"{given.binary} is no file, or {given.worlds} no folder")
    binary = given.binary.resolve()
    wanted = [name for name in given.only.split(",") if name]
    worlds = sorted(folder for folder in given.worlds.iterdir() if (folder / "script.txt").exists())
    tasks = [
        (binary if given.thorough else None, folder, None, given.keep)
        for folder in worlds
        if not wanted or folder.name in wanted
    ]
    seeds = range(given.seed, given.seed + given.mutated)
    tasks += [(binary, worlds[seed % len(worlds)], seed, given.keep) for seed in seeds]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(run, tasks)
        failures = [result for result in map(told, results) if not result]
    print(f"{len(tasks)} worlds, {len(failures)} differ")
    sys.exit(1 if failures else 0)


def told(result):
    is_same, text = result
    print(text, flush=True)
    return is_same


def run(task):
    """Whether the two agree on a world, and what to say of it."""
    binary, world, seed, is_kept = task
    name = world.name if seed is None else f"{world.name} mutated by {seed}"
    folder, is_same = tempfile.mkdtemp(prefix="tributary-reference-"), False
    try:
        script = scripts.read(world) if seed is None else mutation.mutated(world, seed)
        tally = compare.with_product(binary, folder, script) if binary else compare.with_expectations(script)
        is_same = True
        return is_same, f"{name}: same: {tally}"
    except compare.Difference as difference:
        return False, f"{name}: DIFFERENT: {difference}{kept(folder, is_kept)}"
    except Exception:
        return False, f"{name}: FAILED: {traceback.format_exc()}{kept(folder, is_kept)}"
    finally:
        if is_same or not is_kept:
            shutil.rmtree(folder)


def kept(folder, is_kept):
    return f"\nits files are in {folder}" if is_kept else ""


if __name__ == "__main__":
    main()
