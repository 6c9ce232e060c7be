"""Exact numbers: amounts in minor units, rates as fractions, and the ways in which they are rounded, spread and written."""

from fractions import Fraction

EXPONENTS = {
    "BHD": 3, "CLP": 0, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "OMR": 3, "TND": 3, "UGX": 0, "VND": 0,
}
SUFFIXES = {"k": 10**3, "M": 10**6, "B": 10**9}


def exponent(currency):
    """The decimals of a currency."""
    return EXPONENTS.get(currency, 2)


def number(text):
    """A number as programme files, conditions and imports write it: `0.12`, `12%`, `500k`, `1_000`."""
    text = text.strip().replace("_", "")
    if text.endswith("%"):
        return Fraction(text[:-1]) / 100
    if text[-1:] in SUFFIXES:
        return Fraction(text[:-1]) * SUFFIXES[text[-1]]
    return Fraction(text)


def minor(text, currency):
    """An amount in minor units."""
    units = Fraction(text) * 10 ** exponent(currency)
    if units.denominator != 1:
        raise ValueError(f"{text} has more decimals than {currency}")
    return int(units)


def major(amount_minor, currency):
    """An amount in units of its currency."""
    return Fraction(amount_minor, 10 ** exponent(currency))


def rounded(figure, rounding):
    """To a whole number: half away from zero, or half to the even neighbour."""
    figure = Fraction(figure)
    sign, size = (-1 if figure < 0 else 1), abs(figure)
    whole = size.numerator // size.denominator
    rest = size - whole
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (rounding == "half_up" or whole % 2 == 1)):
        whole += 1
    return sign * whole


def spread(total, weights):
    """A total over weights, largest remainder first, ties by place; all weights zero: the first has it."""
    whole = sum(weights)
    if whole == 0:
        return [total] + [0] * (len(weights) - 1)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def with_point(digits, decimals):
    """A whole number with its last digits behind a point."""
    sign, text = ("-" if digits < 0 else ""), str(abs(digits)).rjust(decimals + 1, "0")
    return sign + (f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text)


def money_text(amount_minor, currency):
    """An amount with the exponent of its currency."""
    return with_point(amount_minor, exponent(currency))


def decimal_text(figure):
    """A plain decimal without trailing zeros."""
    decimals = 0
    while figure.numerator * 10**decimals % figure.denominator:
        decimals += 1
    return with_point(figure.numerator * 10**decimals // figure.denominator, decimals)
