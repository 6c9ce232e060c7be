"""Scripts of commands: read from the folders of worlds, written as files, told to the reference."""

import copy
import csv
import io
import json
import tomllib
from datetime import date
from pathlib import Path

from .days import day
from .programme import Version
from .settlement import settle
from .tiers import review
from .world import Refused


class Apply:
    """`program apply FILE --from DATE`."""

    def __init__(self, text, effective_from):
        self.text, self.effective_from = text, effective_from

    def words(self, folder, name):
        path = Path(folder, f"{name}.toml")
        path.write_text(self.text, encoding="utf-8")
        return ["program", "apply", path.name, "--from", self.effective_from]

    def tell(self, world):
        world.apply(Version(self.text, day(self.effective_from)))


class Import:
    """`import KIND FILE`."""

    def __init__(self, kind, rows):
        self.kind, self.rows = kind, rows

    def words(self, folder, name):
        path = Path(folder, f"{name}-{self.kind}.csv")
        path.write_text(csv_text(self.rows), encoding="utf-8", newline="")
        return ["import", self.kind, path.name]

    def tell(self, world):
        world.fresh()
        if self.kind == "voids":
            world.facts.void(self.rows)
        else:
            world.facts.record(self.kind, self.rows)


class Settle:
    """`settle --program P --period M`, or `--through M`."""

    def __init__(self, program, month, is_through):
        self.program, self.month, self.is_through = program, month, is_through

    def words(self, *_):
        return ["settle", "--program", self.program, "--through" if self.is_through else "--period", self.month, "--json"]

    def ask(self, world):
        """The world after it, what it prints, and why it was refused if it was."""
        world, made, refusal = settle(world, self.program, self.month, self.is_through)
        return world, {"settlements": made}, refusal


class Recertify:
    """`recertify --program P --as-of DAY`."""

    def __init__(self, program, on):
        self.program, self.on = program, on

    def words(self, *_):
        return ["recertify", "--program", self.program, "--as-of", str(self.on), "--json"]

    def ask(self, world):
        after = copy.deepcopy(world)
        try:
            return after, review(after, self.program, self.on), None
        except Refused as refusal:
            return world, None, refusal


def read(folder):
    """The commands of a world, each with the JSON that it is to print, if the world says so."""
    for line in Path(folder, "script.txt").read_text(encoding="utf-8").splitlines():
        command, _, expected = line.partition(" > ")
        if command.strip():
            yield parsed(command.split(), folder), json.loads(Path(folder, expected.strip()).read_text()) if expected else None


def parsed(words, folder):
    if words[0] == "program":
        return Apply(Path(folder, words[2]).read_text(encoding="utf-8"), words[words.index("--from") + 1])
    if words[0] == "import":
        with Path(folder, words[2]).open(encoding="utf-8", newline="") as file:
            return Import(words[1], list(csv.DictReader(file)))
    options = {name: value for name, value in zip(words[1:], words[2:]) if name.startswith("--")}
    if words[0] == "recertify":
        return Recertify(options["--program"], day(options["--as-of"]))
    is_through = "--through" in options
    return Settle(options["--program"], options["--through" if is_through else "--period"], is_through)


def csv_text(rows):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def toml_text(programme):
    """A programme as `tomllib` reads it, written again."""
    sections = [f"[program]\n{pairs(programme['program'])}"]
    for name, content in programme.items():
        if isinstance(content, list):
            sections += [f"[[{name}]]\n{pairs(section)}" for section in content]
        elif name == "roles":
            sections += [f"[roles.{role}]\n{pairs(section)}" for role, section in content.items()]
        elif isinstance(content, dict) and name not in ("program", "mdf"):
            sections.append(f"[{name}]\n{pairs(content)}")
    return "\n".join(sections)


def pairs(section):
    return "".join(f"{toml_key(name)} = {toml_value(value)}\n" for name, value in section.items())


def toml_key(name):
    return json.dumps(name, ensure_ascii=False)


def toml_value(value):
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(name)} = {toml_value(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def programme_of(apply):
    """The content of a programme file."""
    return tomllib.loads(apply.text)
