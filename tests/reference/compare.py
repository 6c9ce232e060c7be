"""Runs scripts through the reference and the product, and says where they first differ."""

import json
import os
import subprocess
from pathlib import Path

from . import wallets
from .money import money_text
from .scripts import Settle
from .world import World

#: After every day that a script settles.
CLOCK = "2030-01-15T12:00:00Z"
#: No command may take longer.
SECONDS_MAX = 120


class Difference(Exception):
    """The product and the reference differ, or the product contradicts itself."""


class Product:
    """The binary with a fresh SQLite database in a folder."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "TRIBUTARY_DATABASE_URL": f"sqlite://{Path(folder).resolve()}/books.db",
            "TRIBUTARY_CLOCK__START": CLOCK,
        }

    def run(self, words):
        run = subprocess.run(
            [self.binary, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        if run.returncode not in (0, 2):
            raise Difference(f"{' '.join(words)} exits with {run.returncode}: {run.stdout[-2000:]}{run.stderr[-2000:]}")
        return run

    def json(self, words):
        """What a command that must succeed prints."""
        run = self.run(words)
        if run.returncode:
            raise Difference(f"{' '.join(words)} is refused: {run.stderr[-2000:]}")
        return json.loads(run.stdout)


def difference(ours, theirs, place="$"):
    """Where two documents first differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in ours or name not in theirs:
                return f"{place}.{name} stands on one side alone"
            found = difference(ours[name], theirs[name], f"{place}.{name}")
            if found:
                return found
        return None
    if isinstance(ours, list) and isinstance(theirs, list):
        for index, (our, their) in enumerate(zip(ours, theirs)):
            found = difference(our, their, f"{place}[{index}]")
            if found:
                return f"{found}\n  reference: {our}\n  product:   {their}" if is_leaf(our) else found
        return None if len(ours) == len(theirs) else f"{place} has {len(ours)} elements by the reference, {len(theirs)} by the product"
    return None if ours == theirs and type(ours) is type(theirs) else f"{place}: {ours!r} by the reference, {theirs!r} by the product"


def is_leaf(document):
    return isinstance(document, dict) and not any(isinstance(value, (dict, list)) for value in document.values())


def without(document, name):
    """Settlements without one of their fields."""
    if not document or "settlements" not in document:
        return document
    settlements = [{key: value for key, value in one.items() if key != name} for one in document["settlements"]]
    return {"settlements": settlements}


def assert_same(ours, theirs, words):
    found = difference(ours, theirs)
    if found:
        raise Difference(f"{' '.join(words)}\n{found}")


class Tally:
    """What a comparison looked at."""

    def __init__(self):
        self.recorded = self.refused = self.documents = self.numbers = 0

    def __str__(self):
        return f"{self.documents} documents with {self.numbers} numbers; {self.recorded} files recorded, {self.refused} refused"

    def count(self, document):
        self.documents += 1
        settlements = document.get("settlements", [])
        self.numbers += sum(2 * len(one["lines"]) + len(one["totals"]) for one in settlements) + len(document.get("reviews", []))


def with_expectations(script):
    """Tells the reference a script and compares what it prints with what the script expects."""
    world, tally = World(), Tally()
    for command, expected in script:
        if not hasattr(command, "ask"):
            command.tell(world)
            tally.recorded += 1
            continue
        world, ours, refusal = command.ask(world)
        if refusal:
            raise Difference(f"{' '.join(command.words())} is refused by the reference: {refusal}")
        if expected is not None:
            assert_same(ours, expected, command.words())
            tally.count(expected)
    return tally


def with_product(binary, folder, script):
    """Runs a script through both in a folder; gives a tally, or raises [`Difference`]."""
    product, world, tally = Product(binary, folder), World(), Tally()
    for place, (command, _) in enumerate(script):
        words = command.words(folder, f"{place:03d}")
        run = product.run(words)
        with Path(folder, "script.txt").open("a", encoding="utf-8") as log:
            log.write(f"{' '.join(words)}{'' if run.returncode == 0 else '   # ' + run.stderr.splitlines()[0]}\n")
        if hasattr(command, "ask"):
            world = assert_answer(command, world, run, tally)
        elif run.returncode == 0:
            command.tell(world)
            tally.recorded += 1
        else:
            # What may be recorded is the product's to say; what is refused is recorded by neither.
            tally.refused += 1
    assert_wallets(product, world, tally)
    assert_consistent(product, world)
    return tally


def assert_answer(command, world, run, tally):
    """Compares what both say to a command; gives the world after it."""
    words = command.words()
    world, ours, refusal = command.ask(world)
    if (run.returncode != 0) != (refusal is not None):
        raise Difference(f"{' '.join(words)}\nrefused by the reference: {refusal}\nby the product: {run.stderr[-2000:]}")
    if refusal:
        tally.refused += 1
    if ours is not None:
        # What was made final before a later month was refused is printed, too; of a command refused at once nothing is.
        assert_same(ours, without(json.loads(run.stdout or '{"settlements": []}'), "status"), words)
        tally.count(ours)
    return world


def assert_wallets(product, world, tally):
    for program, programme in world.programmes.items():
        for (partner, currency), balance in wallets.balances(programme).items():
            shown = product.json(["wallet", "show", "--partner", partner, "--json"])["wallets"]
            theirs = [one["balance"] for one in shown if (one["program"], one["currency"]) == (program, currency)]
            if balance is None or not (balance or theirs):
                continue
            assert_same([money_text(balance, currency)], theirs, ["wallet of", partner, "in", program])
            tally.numbers += 1


def assert_consistent(product, world):
    """A month printed again is the same, a preview is what is made final after it, and the books verify."""
    for program, programme in world.programmes.items():
        if programme.settlements:
            again = Settle(program, max(programme.settlements), False).words()
            assert_same({"settlements": programme.settlements[max(programme.settlements)]}, without(product.json(again), "status"), again)
        upcoming = Settle(program, programme.first_open, False).words()
        preview, final = product.run([*upcoming, "--preview"]), product.run(upcoming)
        if preview.returncode != final.returncode:
            raise Difference(f"{' '.join(upcoming)}: the preview exits with {preview.returncode}, then {final.returncode}")
        if final.returncode == 0:
            shown = [without(without(json.loads(run.stdout), "status"), "digest") for run in (preview, final)]
            assert_same(*shown, [*upcoming, "--preview"])
    product.json(["verify", "--json"])
