"""Conditions of programme files: parsed into tuples, evaluated with three-valued logic (`None` is unknown)."""

import functools
import operator
import re

from .money import number

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?[0-9][0-9_.]*[kMB%]?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|==|!=|<|>|\(|\)|\[|\]|,))""",
    re.VERBOSE,
)
COMPARISONS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}


def tokens(text):
    found, place = [], 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if not match:
            raise ValueError(f"{text!r} at {place}")
        place, kind = match.end(), match.lastgroup
        token = match[kind]
        if kind == "text":
            token = token[1:-1]
        elif kind == "number":
            token = number(token)
        found.append((kind, token))
    return found


class Parser:
    """Recursive descent: `or` binds weakest, `not` strongest."""

    def __init__(self, text):
        self.rest = tokens(text)

    def next_is(self, kind, token):
        return bool(self.rest) and self.rest[0] == (kind, token)

    def take(self, kind=None, token=None):
        if kind is not None and not self.next_is(kind, token):
            raise ValueError(f"{token!r} expected before {self.rest}")
        return self.rest.pop(0)

    def chain(self, word, inner):
        parts = [inner()]
        while self.next_is("word", word):
            self.take()
            parts.append(inner())
        return (word, parts) if len(parts) > 1 else parts[0]

    def disjunction(self):
        return self.chain("or", self.conjunction)

    def conjunction(self):
        return self.chain("and", self.negation)

    def negation(self):
        if self.next_is("word", "not"):
            self.take()
            return ("not", self.negation())
        if self.next_is("sign", "("):
            self.take()
            inner = self.disjunction()
            self.take("sign", ")")
            return inner
        return self.comparison()

    def comparison(self):
        left = self.operand()
        if self.rest and self.rest[0][0] == "sign" and self.rest[0][1] in COMPARISONS:
            return ("compare", self.take()[1], left, self.operand())
        if self.next_is("word", "in"):
            self.take()
            self.take("sign", "[")
            choices = []
            while not self.next_is("sign", "]"):
                kind, token = self.take()
                if (kind, token) != ("sign", ","):
                    choices.append(token)
            self.take()
            return ("in", left, choices)
        return ("holds", left)

    def operand(self):
        kind, token = self.take()
        if kind == "word" and token not in ("true", "false"):
            return ("fact", token)
        return ("value", token == "true" if kind == "word" else token)


@functools.cache
def parsed(text):
    parser = Parser(text)
    expression = parser.disjunction()
    if parser.rest:
        raise ValueError(f"{text!r} has more: {parser.rest}")
    return expression


def evaluate(expression, fact):
    def value(operand):
        return operand[1] if operand[0] == "value" else fact(operand[1])

    kind = expression[0]
    if kind == "not":
        inner = evaluate(expression[1], fact)
        return None if inner is None else not inner
    if kind in ("and", "or"):
        decisive, result = kind == "or", kind == "and"
        for part in expression[1]:
            part = evaluate(part, fact)
            if part is decisive:
                return decisive
            if part is None:
                result = None
        return result
    if kind == "holds":
        return value(expression[1])
    if kind == "in":
        left = value(expression[1])
        return None if left is None else left in expression[2]
    left, right = value(expression[2]), value(expression[3])
    return None if left is None or right is None else COMPARISONS[expression[1]](left, right)


def holds(text, fact):
    """Whether a condition holds; none at all always does, an unknown one does not. `fact` gives a fact by its name."""
    return text is None or evaluate(parsed(text), fact) is True
