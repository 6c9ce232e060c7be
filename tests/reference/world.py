"""The state between commands, and the questions about members, invoices and money that more than one rule asks.

Every answer is looked up in the whole of what is recorded; what is asked again and again within one command is
remembered for that command alone (`fresh`).
"""

import functools
from dataclasses import dataclass
from fractions import Fraction

from .days import ONE, day, instant, month_of, next_month, first_day, previous_month, quarter_begins, year_before
from .facts import ORDER, Facts
from .money import major, minor, number, rounded, spread
from .programme import Credit, Programme


class Refused(Exception):
    """What the rules refuse: a missing exchange rate, a period or review out of its order."""


@dataclass(frozen=True)
class Item:
    """A line of an invoice; the whole of one without lines has no id."""

    id: str | None
    amount: int
    product: str
    deal: str | None

    @property
    def key(self):
        return self.id or ""


class World:
    def __init__(self):
        self.facts = Facts()
        self.programmes = {}
        #: The credits of booked invoices, by item.
        self.fixed = {}
        self.remembered = {}

    def fresh(self):
        """Forgets what was remembered: facts or postings have changed."""
        self.remembered = {}

    def remember(self, key, make):
        if key not in self.remembered:
            self.remembered[key] = make()
        return self.remembered[key]

    def apply(self, version):
        self.programmes.setdefault(version.id, Programme()).add_version(version)

    # Members (domain.md §3.3, §3.10, §3.11)

    def membership(self, program, partner):
        row = self.facts["partners"].get(partner)
        return row if row and row["program"] == program else self.facts["memberships"].get((partner, program))

    def members(self, program):
        return sorted(partner for partner in self.facts["partners"] if self.membership(program, partner))

    def assignments(self, program, partner):
        """Tiers with the days from which they hold, in order: (day, order, tier, origin)."""
        first = self.membership(program, partner)
        found = [(day(first["tier_since"]), first[ORDER], first["tier"], "hand")] if first else []
        for row in self.facts.of("tiers", partner=partner, program=program):
            found.append((day(row["effective_from"]), row[ORDER], row["tier"], "hand"))
        return sorted(found + self.programmes[program].found_tiers.get(partner, []))

    def earned_tier(self, program, partner, on):
        held = [tier for since, _, tier, _ in self.assignments(program, partner) if since <= on]
        return held[-1] if held else None

    def certificates(self, partner, on):
        """The certificates that are valid on a day."""
        for row in self.facts.of("certifications", partner=partner):
            revoked = row.get("revoked_on") and day(row["revoked_on"]) <= on
            if day(row["issued_on"]) <= on < day(row["expires_on"]) and not revoked:
                yield row

    def effective_rank(self, program, partner, on):
        """The rank of the effective tier; `None` before the first one."""
        version, tier = self.programmes[program].on(on), self.earned_tier(program, partner, on)
        if tier is None:
            return None
        rank = version.rank[tier]
        for certification, needed in version.tiers[rank].certifications.items():
            valid = [row for row in self.certificates(partner, on) if row["certification"] == certification]
            if len({row["holder"] for row in valid}) < needed:
                return 0
        return rank

    def status(self, program, partner, on):
        first = self.membership(program, partner)
        begun = [("", (first or {}).get("status") or "active")]
        for row in self.facts.of("statuses", partner=partner, program=program):
            if day(row["effective_from"]) <= on:
                begun.append((row["effective_from"], row["status"]))
        return max(begun, key=lambda entry: entry[0])[1]

    def is_active(self, program, partner, on):
        return self.status(program, partner, on) == "active" and self.earned_tier(program, partner, on) is not None

    def parent(self, program, partner, on):
        """The parent on a day with the rate of the link, if it has one."""
        first, links = self.membership(program, partner), []
        if first and first.get("parent"):
            links.append((day(first.get("parent_since") or first["tier_since"]), first["parent"], first.get("override_rate")))
        for row in self.facts.of("parents", partner=partner, program=program):
            links.append((day(row["effective_from"]), row.get("parent"), row.get("override_rate")))
        links = sorted((link for link in links if link[0] <= on), key=lambda link: link[0])
        if not links or not links[-1][1]:
            return None
        return links[-1][1], (number(links[-1][2]) if links[-1][2] else None)

    def ancestors(self, program, partner, on):
        """Ancestors with the rates of the links that lead to them, nearest first."""
        found, link = [], self.parent(program, partner, on)
        while link:
            found.append(link)
            link = self.parent(program, link[0], on)
        return found

    def metric(self, version, partner, name, on):
        """A metric by the greatest day on or before the one asked for; unknown without one."""
        known = [row for row in self.facts.of("metrics", partner=partner, metric=name) if day(row["as_of"]) <= on]
        if not known:
            return None
        value = max(known, key=lambda row: row["as_of"])["value"]
        kind = version.metrics[name]
        return Fraction(value) if kind == "number" else value == "true" if kind == "bool" else value

    # Exchange rates (domain.md §2.8)

    def exchange_rate(self, version, currency, on):
        if currency == version.currency:
            return Fraction(1)
        known = [row for row in self.facts.of("fx", to=version.currency) if row["from"] == currency and day(row["date"]) <= on]
        latest = max(known, key=lambda row: row["date"], default=None)
        if latest is None or on - day(latest["date"]) > 7 * ONE:
            raise Refused(f"no rate from {currency} to {version.currency} within 7 days of {on}")
        return Fraction(latest["rate"])

    def converted(self, version, amount_minor, currency, on):
        return major(amount_minor, currency) * self.exchange_rate(version, currency, on)

    # Invoices, credits, refunds (domain.md §3.1, §3.2, §4.2, §4.3)

    def paid_invoices(self):
        return [row for row in self.facts["invoices"].values() if row.get("paid_at")]

    def paid_on(self, program, invoice):
        return self.programmes[program].date_of(instant(invoice["paid_at"]))

    def items(self, invoice):
        by_invoice = self.remember("items", lambda: grouped(self.facts["invoice_items"].values(), "invoice"))
        rows = sorted(by_invoice.get(invoice["id"], []), key=lambda row: row["item"])
        product, deal, currency = invoice.get("product") or "", invoice.get("deal") or None, invoice["currency"]
        if not rows:
            return [Item(None, minor(invoice["subtotal"], currency), product, deal)]
        return [
            Item(row["item"], minor(row["amount"], currency), row.get("product") or product, row.get("deal") or deal)
            for row in rows
        ]

    def credits_in_force(self, on, **place):
        """The credits recorded at one place that are in force on a day."""
        for row in self.facts.of("credits", **place):
            begun = not row.get("from") or day(row["from"]) <= on
            if begun and (not row.get("through") or on <= day(row["through"])):
                yield row

    def looked_up_credits(self, customer, deal, on, invoice=None, item=None):
        """The credits of the nearest place that has any on a day: item, invoice, deal, customer."""
        places = []
        if invoice is not None:
            of_invoice = list(self.credits_in_force(on, invoice=invoice["id"]))
            if item.id is not None:
                places.append(([row for row in of_invoice if row.get("item") == item.id], None))
            places.append(([row for row in of_invoice if not row.get("item")], invoice.get("partner")))
        if deal is not None:
            places.append((list(self.credits_in_force(on, deal=deal)), self.facts["deals"][deal].get("partner")))
        referred_by = self.facts["customers"][customer].get("referred_by")
        places.append((list(self.credits_in_force(on, customer=customer)), referred_by))
        for rows, plain in places:
            if rows:
                return [
                    Credit(row.get("program") or self.facts.home(row["partner"]), row["partner"], row["role"], number(row.get("share") or "1"))
                    for row in rows
                ]
            if plain:
                return [Credit(self.facts.home(plain), plain)]
        return []

    def credits_of_item(self, invoice, item, on):
        return self.looked_up_credits(invoice["customer"], item.deal, on, invoice, item)

    def credits(self, program, invoice, item):
        """The credits of an item in a programme: fixed once any programme has booked the invoice."""
        if invoice["id"] in self.fixed:
            found = self.fixed[invoice["id"]].get(item.key, [])
        else:
            found = self.credits_of_item(invoice, item, self.paid_on(program, invoice))
        return [credit for credit in found if credit.program == program]

    def refunds(self, program, invoice):
        """The refunds of an invoice in the order in which a programme takes them: those booked first."""
        by_invoice = self.remember("refunds", lambda: grouped(self.facts["refunds"].values(), "invoice"))
        booked = self.programmes[program].refund_order

        def order(row):
            if row["id"] in booked:
                return (0, booked[row["id"]])
            return (1, instant(row["refunded_at"]), row["id"])

        return sorted(by_invoice.get(invoice["id"], []), key=order)

    # Referred revenue (domain.md §1, §5.1)

    def revenue_entries(self, program):
        """By partner: (dated on, paid on, currency, amount, customer) of items, and of what refunds take from them."""
        return self.remember(("revenue", program), lambda: self.count_revenue(program))

    def count_revenue(self, program):
        entries, programme = {}, self.programmes[program]
        for invoice in self.paid_invoices():
            paid_on = self.paid_on(program, invoice)
            version, items, refunds = programme.on(paid_on), self.items(invoice), self.refunds(program, invoice)
            taken = taken_by_refunds(items, refunds, invoice["currency"])
            customer = self.facts["customers"][invoice["customer"]]
            for place, item in enumerate(items):
                for credit in self.credits(program, invoice, item):
                    if not version.role(credit.role)["referred"]:
                        continue
                    own = entries.setdefault(credit.partner, [])
                    amount = rounded(item.amount * credit.share, version.rounding)
                    own.append((paid_on, paid_on, invoice["currency"], amount, customer))
                    refunded = before = 0
                    for refund, parts in zip(refunds, taken):
                        refunded += parts[place]
                        now = rounded(refunded * credit.share, version.rounding)
                        dated_on = programme.date_of(instant(refund["refunded_at"]))
                        own.append((dated_on, paid_on, invoice["currency"], before - now, customer))
                        before = now
        return entries

    def revenue(self, program, partner, begin, end, seen_on=None):
        """The referred revenue of the days from `begin` to before `end`; on `seen_on` the customer-age rule holds."""
        programme, total = self.programmes[program], Fraction(0)
        for dated_on, paid_on, currency, amount, customer in self.revenue_entries(program).get(partner, []):
            if begin <= dated_on < end and amount and not (seen_on and self.is_too_young(program, customer, seen_on)):
                total += self.converted(programme.on(paid_on), amount, currency, paid_on)
        return total

    def is_too_young(self, program, customer, on):
        days = self.programmes[program].on(on).recertification.get("customer_min_age_days", 0)
        if not days:
            return False
        young = customer.get("activated_on") and day(customer["activated_on"]) + days * ONE > on
        return bool(young or (customer.get("churned_on") and day(customer["churned_on"]) < on))

    # Facts that conditions name (interface.md §1)

    def partner_fact(self, version, partner, rank, name, on):
        """A fact of a partner, or else a metric."""
        row = self.facts["partners"][partner]
        if name == "tier":
            return version.tier_id(rank)
        if name in ("partner_kind", "country"):
            return row.get("kind" if name == "partner_kind" else name) or ""
        return self.metric(version, partner, name, on)

    def item_fact(self, version, partner, rank, role, invoice, item, on, name):
        """A fact as `when` of a rule or rate sees it for an item."""
        deal = self.facts["deals"].get(item.deal)
        if name == "amount":
            return self.converted(version, item.amount, invoice["currency"], on)
        if name == "invoice_amount":
            return self.converted(version, minor(invoice["subtotal"], invoice["currency"]), invoice["currency"], on)
        if name == "contract_value":
            if deal is None:
                return Fraction(0)
            return self.converted(version, minor(deal["contract_value"], deal["currency"]), deal["currency"], day(deal["signed_on"]))
        if name in ("new_logo", "registered"):
            return deal is not None and deal.get(name) == "true"
        if name == "motion":
            return (deal or {}).get("motion") or ""
        if name == "product":
            return item.product
        if name == "currency":
            return invoice["currency"]
        if name == "payment_method":
            return invoice.get("payment_method") or ""
        if name == "role":
            return role
        end = first_day(next_month(month_of(on)))
        if name == "monthly_referred_revenue":
            return self.revenue(version.id, partner, first_day(month_of(on)), end)
        if name == "quarterly_referred_revenue":
            return self.revenue(version.id, partner, quarter_begins(on), end)
        if name == "trailing_12_month_referred_revenue":
            return self.revenue(version.id, partner, year_before(on), on)
        return self.partner_fact(version, partner, rank, name, on)

    def item_facts(self, version, partner, rank, role, invoice, item, on):
        """The facts for a partner whose effective tier has a rank, each by its name."""
        return functools.partial(self.item_fact, version, partner, rank, role, invoice, item, on)

    def review_fact(self, version, partner, on, trailing, name):
        """A fact as `requires` of a tier sees it in a review or a look."""
        if name == "active_deals":
            return Fraction(self.active_deals(version.id, partner, on))
        if name == "certified_reps":
            return Fraction(len({row["holder"] for row in self.certificates(partner, on)}))
        if name == "trailing_12_month_referred_revenue":
            return trailing
        if name == "monthly_referred_revenue":
            month = previous_month(month_of(on))
            return self.revenue(version.id, partner, first_day(month), first_day(next_month(month)))
        if name == "quarterly_referred_revenue":
            end = quarter_begins(on)
            return self.revenue(version.id, partner, quarter_begins(end - ONE), end)
        return self.partner_fact(version, partner, self.effective_rank(version.id, partner, on), name, on)

    def active_deals(self, program, partner, on):
        count = 0
        for deal in self.facts["deals"].values():
            customer = self.facts["customers"][deal["customer"]]
            churned = customer.get("churned_on") and day(customer["churned_on"]) < on
            if day(deal["signed_on"]) > on or churned:
                continue
            found = self.looked_up_credits(deal["customer"], deal["id"], on)
            count += any((credit.program, credit.partner) == (program, partner) for credit in found)
        return count


def grouped(rows, column):
    groups = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def taken_by_refunds(items, refunds, currency):
    """What each refund takes from each item, in the order given (negative: gives back)."""
    left, taken, won = [item.amount for item in items], [], {}
    for place, refund in enumerate(refunds):
        amount = minor(refund["amount"], currency)
        if refund.get("kind") == "chargeback_won":
            of = [other["id"] for other in refunds[:place]].index(refund["of"])
            given = won.setdefault(of, [0] * len(items))
            weights = [part - back for part, back in zip(taken[of], given)]
            must(amount <= sum(weights), refund)
            back = spread(amount, weights)
            won[of] = [before + more for before, more in zip(given, back)]
            parts = [-part for part in back]
        elif refund.get("item"):
            of = [item.id for item in items].index(refund["item"])
            must(amount <= left[of], refund)
            parts = [amount if place == of else 0 for place in range(len(items))]
        else:
            must(amount <= sum(left), refund)
            parts = spread(amount, left)
        left = [before - part for before, part in zip(left, parts)]
        taken.append(parts)
    return taken


def must(sound, refund):
    """A refund that is larger than what is left should never have been taken: the product let it in."""
    if not sound:
        raise AssertionError(f"refund {refund['id']} is larger than what is left of invoice {refund['invoice']}")
