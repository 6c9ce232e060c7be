"""Programmes: their versions as files have them, and what the reference keeps of each between commands."""

import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from .days import ONE, month_of, next_month
from .money import number

SOURCED = {"tier_rate": True, "referred": True, "extras": True}


class Tier:
    def __init__(self, section):
        self.id = section["id"]
        self.threshold = number(section["threshold"])
        self.rate = number(section["rate"])
        self.coop_rate = number(section.get("coop_rate", "0"))
        self.certifications = section.get("certifications", {})
        self.requires = section.get("requires")
        self.invitation_only = section.get("invitation_only", False)


class Version:
    """A version of a programme, in force from a day on."""

    def __init__(self, text, effective_from):
        self.file = tomllib.loads(text)
        self.effective_from = effective_from
        header = self.file["program"]
        self.id, self.currency = header["id"], header["currency"]
        self.zone = ZoneInfo(header["timezone"])
        self.rounding = header.get("rounding", "half_up")
        self.tiers = [Tier(section) for section in self.file["tiers"]]
        self.rank = {tier.id: rank for rank, tier in enumerate(self.tiers)}
        self.rules, self.rates = self.file.get("rules", []), self.file.get("rates", [])
        self.rankings, self.metrics = self.file.get("rankings", []), self.file.get("metrics", {})
        self.hierarchy, self.coop = self.file.get("hierarchy"), self.file.get("coop", {})
        self.settlement = self.file["settlement"]
        self.recertification = self.file.get("recertification", {})
        self.hold_days = self.settlement.get("hold_days", 0)

    def role(self, name):
        """What a role of credits has (domain.md §3.2)."""
        if name == "sourced":
            return SOURCED
        declared = self.file.get("roles", {}).get(name, {})
        return {key: declared.get(key, False) for key in SOURCED}

    def tier_id(self, rank):
        return None if rank is None else self.tiers[rank].id

    def minimum_payout(self, currency):
        """The smallest payout as text."""
        own = self.settlement.get("minimum_payout", "0") if currency == self.currency else "0"
        return self.settlement.get("minimum_payout_in", {}).get(currency, own)


def in_window(section, on):
    """Whether a rule, rate or ranking holds on a day."""
    begun = "from" not in section or section["from"] <= on
    return begun and ("through" not in section or on <= section["through"])


@dataclass
class Programme:
    """A programme and all that was posted, promoted, ranked and reviewed in it."""

    versions: list = field(default_factory=list)
    #: Months that are final, with their settlements as JSON.
    settlements: dict = field(default_factory=dict)
    #: Every line posted.
    lines: list = field(default_factory=list)
    #: The month in which an invoice was booked.
    booked: dict = field(default_factory=dict)
    #: The place of a booked refund among those of its invoice.
    refund_order: dict = field(default_factory=dict)
    #: Bases used of a deal by a spiff rule, and the invoice that it last posted for: by (rule, deal).
    spiff_used: dict = field(default_factory=dict)
    spiff_posted: dict = field(default_factory=dict)
    #: Rankings won, with their rates: by (quarter that they pay on, partner).
    ranks: dict = field(default_factory=dict)
    #: Lump sums won in a month.
    lump_sums: list = field(default_factory=list)
    #: Balances carried forward by (partner, currency).
    carried: dict = field(default_factory=dict)
    #: Tiers found by looks and reviews: by partner, (day, order, tier, origin).
    found_tiers: dict = field(default_factory=dict)
    #: Reviews as JSON by day, and the misses that each partner has.
    reviews: dict = field(default_factory=dict)
    misses: dict = field(default_factory=dict)

    def add_version(self, version):
        self.versions.append(version)
        self.versions.sort(key=lambda version: version.effective_from)

    def on(self, on):
        """The version in force on a day."""
        in_force = [version for version in self.versions if version.effective_from <= on]
        return in_force[-1] if in_force else self.versions[0]

    @property
    def constant(self):
        """Any version, for what all share."""
        return self.versions[0]

    @property
    def first_period(self):
        return self.constant.settlement["first_period"]

    @property
    def first_open(self):
        return next_month(max(self.settlements)) if self.settlements else self.first_period

    def date_of(self, instant):
        """The date of an instant in the programme's zone."""
        return instant.astimezone(self.constant.zone).date()

    def own_month(self, paid_on):
        """The month to which an invoice belongs: that of its eligible date."""
        return month_of(paid_on + self.on(paid_on).hold_days * ONE)


@dataclass(frozen=True)
class Credit:
    """Who gets an item, in which role, with which share."""

    program: str
    partner: str
    role: str = "sourced"
    share: Fraction = Fraction(1)
