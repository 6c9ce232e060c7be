"""What one credit of one item earns, for every payee (domain.md §3)."""

from fractions import Fraction

from .conditions import holds
from .days import day, instant, quarter_of
from .money import major, minor, number, rounded
from .programme import in_window

#: Components that `max_total_rate` counts beside overrides.
COUNTED = ("base", "spiff", "volume_bonus", "rank_bonus")


class Rated:
    """One credit of one item on the day on which its invoice was paid."""

    def __init__(self, world, version, invoice, item, on, credit):
        self.world, self.version, self.invoice, self.item, self.on, self.credit = world, version, invoice, item, on, credit
        self.role = version.role(credit.role)
        self.rank = world.effective_rank(version.id, credit.partner, on)
        self.is_active = world.is_active(version.id, credit.partner, on)

    def part(self, rate, amount=None):
        """round(amount × rate × share); the amount is the item's unless another is given."""
        amount = self.item.amount if amount is None else amount
        return rounded(amount * rate * self.credit.share, self.version.rounding)

    def facts(self):
        credit = self.credit
        return self.world.item_facts(self.version, credit.partner, self.rank, credit.role, self.invoice, self.item, self.on)

    def line(self, component, base, rate, amount, payee=None, level=0, rule=None, rate_source=None, share=None, referred=0, fund=None):
        """A line; `share` is what it shows where that is not the credit's, `referred` what it adds to referred revenue."""
        rank = self.rank if payee is None else self.world.effective_rank(self.version.id, payee, self.on)
        payee = payee or self.credit.partner
        return {
            "source": "invoice", "source_id": self.invoice["id"], "invoice": self.invoice["id"], "item": self.item.id,
            "role": self.credit.role, "component": component, "rule": rule, "rate_source": rate_source, "level": level,
            "from_partner": self.credit.partner, "payee": payee, "currency": self.invoice["currency"],
            "earned_on": str(self.on), "tier": self.version.tier_id(rank), "base": base, "rate": rate,
            "share": self.credit.share if share is None else share, "credit_share": self.credit.share, "amount": amount,
            "referred": referred, "fund": fund, "corrects": None,
        }  # fmt: skip

    def lines(self, grants, cost):
        """All lines; `grants` are what spiffs pay on the item, `cost` is its processing cost."""
        if self.rank is None:
            return []
        rate, source = base_rate(self.world, self.version, self.credit.partner, self.rank, self.credit.role, self.invoice, self.item, self.on)
        referred = self.part(1) if self.role["referred"] else 0
        own = [self.line("base", self.item.amount, rate, self.part(rate), rate_source=source, referred=referred)]
        overrides = []
        if self.role["extras"]:
            own += [self.line("spiff", base, rate, amount, rule=rule) for rule, base, rate, amount in grants]
            own += self.volume_bonuses() + self.rank_bonuses() + self.processing_cost(cost) + self.coop()
            if self.version.hierarchy:
                overrides = Chain(self, rate, own).lines()
        return (own if self.is_active else []) + overrides

    def volume_bonuses(self, posted=()):
        found = []
        for rule in self.version.rules:
            if rule["kind"] == "volume_bonus" and rule["id"] not in posted and in_window(rule, self.on) and self.pays(rule):
                rate = number(rule["rate"])
                found.append(self.line("volume_bonus", self.item.amount, rate, self.part(rate), rule=rule["id"]))
        return [line for line in found if line["amount"]]

    def rank_bonuses(self):
        programme = self.world.programmes[self.version.id]
        won = programme.ranks.get((quarter_of(self.on), self.credit.partner), [])
        found = [self.line("rank_bonus", self.item.amount, rate, self.part(rate), rule=ranking) for ranking, rate in won]
        return [line for line in found if line["amount"]]

    def processing_cost(self, cost):
        amount = -self.part(1, cost)
        if not self.version.settlement.get("net_processing_cost") or not amount:
            return []
        return [self.line("processing_cost", self.item.amount, None, amount)]

    def coop(self):
        rate = self.version.tiers[self.rank].coop_rate
        amount = self.part(rate)
        if not amount:
            return []
        found = [self.line("coop", self.item.amount, rate, amount, fund="coop")]
        if self.version.coop.get("funded_by") == "commission":
            found.append(self.line("coop_funding", self.item.amount, rate, -amount))
        return found

    def pays(self, rule):
        """Whether a rule is for the partner and its condition holds."""
        return self.credit.partner in rule.get("partners", [self.credit.partner]) and holds(rule.get("when"), self.facts())


def base_rate(world, version, partner, rank, role, invoice, item, on):
    """The rate of a partner for an item, and where it comes from (domain.md §3.4)."""
    has_tier_rate = version.role(role)["tier_rate"]
    facts = world.item_facts(version, partner, rank, role, invoice, item, on)

    def fits(entry):
        of_role = entry["role"] == role if "role" in entry else has_tier_rate
        of_tier = "tiers" not in entry or version.tier_id(rank) in entry["tiers"]
        return of_role and of_tier and in_window(entry, on) and holds(entry.get("when"), facts)

    named = [entry for entry in version.rates if entry.get("partner") == partner]
    others = [entry for entry in version.rates if not entry.get("partner")]
    for entry in named + others:
        if fits(entry):
            return number(entry["rate"]), f"rates:{entry['id']}"
    if has_tier_rate and rank is not None:
        return version.tiers[rank].rate, f"tier:{version.tiers[rank].id}"
    return Fraction(0), None


class Chain:
    """The overrides of a credit's ancestors, nearest first (domain.md §3.10)."""

    def __init__(self, rated, rate, own):
        self.rated, self.rate, self.own, self.hierarchy = rated, rate, own, rated.version.hierarchy
        self.levels = [number(level) for level in self.hierarchy.get("levels", [])]
        self.by_child = self.hierarchy.get("paid_by", "vendor") == "child"
        program, on = rated.version.id, rated.on
        #: Ancestor, rate of the link, whether it is active.
        self.layers = [
            (ancestor, link_rate, rated.world.is_active(program, ancestor, on))
            for ancestor, link_rate in rated.world.ancestors(program, rated.credit.partner, on)
        ]
        if self.hierarchy.get("inactive", "breakage") == "compress":
            self.layers = [layer for layer in self.layers if layer[2]]

    def lines(self):
        modes = {"override": self.of_amount, "share": self.of_layer_below, "differential": self.of_difference}
        overrides = list(modes[self.hierarchy.get("mode", "override")]())
        if not self.by_child:
            self.cut(overrides)
        lines = []
        for level, base, rate, amount, share in overrides:
            lines.append(self.rated.line("override", base, rate, amount, self.layers[level - 1][0], level, share=share))
            payer = self.payer(level) if self.by_child else None
            if payer:
                lines.append(self.rated.line("cascade", base, rate, -amount, payer[0], payer[1], share=share))
        return lines

    def rated_layers(self):
        """Levels that have a rate: level, its rate, whether its ancestor is active."""
        for level, ((_, link_rate, is_active), level_rate) in enumerate(zip(self.layers, self.levels), 1):
            yield level, level_rate if link_rate is None else link_rate, is_active

    def of_amount(self):
        amount = self.rated.item.amount
        for level, rate, is_active in self.rated_layers():
            if is_active and self.rated.part(rate):
                yield [level, amount, rate, self.rated.part(rate), None]

    def of_layer_below(self):
        shared = ("base", "spiff") if self.hierarchy.get("share_spiffs") else ("base",)
        got = sum(line["amount"] for line in self.own if line["component"] in shared) if self.rated.is_active else 0
        for level, rate, is_active in self.rated_layers():
            if not is_active:
                return
            amount = rounded(got * rate, self.rated.version.rounding)
            if amount:
                yield [level, got, rate, amount, Fraction(1)]
            got = amount

    def of_difference(self):
        rated, highest = self.rated, self.rate
        for level, (ancestor, _, is_active) in enumerate(self.layers, 1):
            rank = rated.world.effective_rank(rated.version.id, ancestor, rated.on)
            rate = Fraction(0)
            if rank is not None:
                rate, _ = base_rate(rated.world, rated.version, ancestor, rank, "sourced", rated.invoice, rated.item, rated.on)
            amount = rated.part(max(rate - highest, 0))
            if is_active and amount:
                yield [level, rated.item.amount, rate - highest, amount, None]
            highest = max(highest, rate)

    def cut(self, overrides):
        """Cuts from the top what exceeds `max_total_rate`."""
        if "max_total_rate" not in self.hierarchy:
            return
        most = self.rated.item.amount * number(self.hierarchy["max_total_rate"]) * self.rated.credit.share // 1
        counted = sum(line["amount"] for line in self.own if line["component"] in COUNTED)
        excess = counted + sum(override[3] for override in overrides) - most
        while excess > 0 and overrides:
            cut = min(excess, overrides[-1][3])
            overrides[-1][3] -= cut
            excess -= cut
            if not overrides[-1][3]:
                overrides.pop()

    def payer(self, level):
        """The nearest active layer below a level, with its own level; none: the vendor pays."""
        for below in range(level - 1, 0, -1):
            if self.layers[below - 1][2]:
                return self.layers[below - 1][0], below
        return (self.rated.credit.partner, 0) if self.rated.is_active else None


def first_item(world, deal):
    """The invoice and item that come first under a deal: the first paid invoice, the first of its items."""
    found = [
        (instant(invoice["paid_at"]), invoice["id"], item.key)
        for invoice in world.paid_invoices()
        for item in world.items(invoice)
        if item.deal == deal
    ]
    return min(found)[1:]


def spiff_grants(world, programme, invoice, items, on, credits):
    """What spiff rules pay on an invoice, by (place of the item, place of the credit): (rule, base, rate, amount).

    Uses of deals' caps are noted as they are made (domain.md §3.5).
    """
    version, grants = programme.on(on), {}
    for rule in (rule for rule in version.rules if rule["kind"] == "spiff"):
        for place, item in enumerate(items):
            base = spiff_base(world, programme, rule, invoice, item, on)
            if base is None:
                continue
            is_used = False
            for which, credit in enumerate(credits[place]):
                rated = Rated(world, version, invoice, item, on, credit)
                if rated.rank is None or not rated.role["extras"] or not rated.pays(rule):
                    continue
                rate, amount = spiff_amount(rated, rule, base)
                if amount:
                    grants.setdefault((place, which), []).append((rule["id"], base, rate, amount))
                    is_used |= rated.is_active
            if is_used and item.deal:
                key = (rule["id"], item.deal)
                programme.spiff_used[key] = programme.spiff_used.get(key, 0) + base
                programme.spiff_posted[key] = invoice["id"]
    return grants


def spiff_base(world, programme, rule, invoice, item, on):
    """The base of a spiff on an item; `None` where it pays nothing whatever its condition says."""
    deal = world.facts["deals"].get(item.deal)
    is_signed = deal is not None and in_window(rule, day(deal["signed_on"]))
    is_paid = in_window(rule, on)
    if not {"signed_on": is_signed, "paid_on": is_paid, "both": is_signed and is_paid}[rule.get("window_on", "signed_on")]:
        return None
    key = (rule["id"], item.deal)
    if "amount" in rule or rule.get("pays") == "first_invoice":
        if deal is None:
            return None
        first_invoice, first_key = first_item(world, item.deal)
        is_first = first_invoice == invoice["id"] and programme.spiff_posted.get(key, first_invoice) == first_invoice
        return item.amount if is_first and ("amount" not in rule or first_key == item.key) else None
    if deal is None:
        return item.amount
    left = minor(deal["contract_value"], deal["currency"]) - programme.spiff_used.get(key, 0)
    return min(item.amount, max(0, left))


def spiff_amount(rated, rule, base):
    if "amount" not in rule:
        return number(rule["rate"]), rated.part(number(rule["rate"]), base)
    version, currency = rated.version, rated.invoice["currency"]
    flat = major(minor(rule["amount"], version.currency), version.currency) * rated.credit.share
    if currency != version.currency:
        flat /= rated.world.exchange_rate(version, currency, rated.on)
    return None, rounded(flat / major(1, currency), version.rounding)
