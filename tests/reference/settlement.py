"""Making months final (domain.md §4, §5.4)."""

import copy
import hashlib
import json
from fractions import Fraction

from .commission import Rated, spiff_grants
from .days import ONE, day, first_day, instant, last_day, month_of, next_month, quarter_begins, quarter_of
from .money import decimal_text, major, minor, money_text, number, rounded, spread
from .tiers import look
from .world import Refused, taken_by_refunds


class Job:
    """A paid invoice that a month books."""

    def __init__(self, world, program, invoice):
        programme = world.programmes[program]
        self.invoice, self.paid_on = invoice, world.paid_on(program, invoice)
        self.own_month = programme.own_month(self.paid_on)
        self.items = world.items(invoice)
        self.credits = [world.credits(program, invoice, item) for item in self.items]

    @property
    def order(self):
        return instant(self.invoice["paid_at"]), self.invoice["id"]


def settle(world, program, period, is_through):
    """Makes one month final, or all open ones through it; gives the world after it, the settlements that it made final
    (a single month that was final before is given again) and, where it ended early, why."""
    programme = world.programmes[program]
    if period < programme.first_period:
        return world, [], Refused("history earns nothing")
    if not is_through and period in programme.settlements:
        return world, programme.settlements[period], None
    if not is_through and programme.first_open < period:
        return world, [], Refused("an earlier month is open")
    made, month = [], programme.first_open
    while month <= period:
        after = copy.deepcopy(world)
        try:
            Month(after, program, month).make_final()
        except Refused as refusal:
            return world, made, refusal
        world = after
        made += world.programmes[program].settlements[month]
        month = next_month(month)
    return world, made, None


class Month:
    """A month of a programme on its way to be final."""

    def __init__(self, world, program, month):
        self.world, self.program, self.month = world, program, month
        self.programme = world.programmes[program]
        self.last_day = last_day(month)
        #: The lines that it books.
        self.lines = []

    def make_final(self):
        self.world.fresh()
        look(self.world, self.program, self.month, self.last_day)
        self.rank()
        jobs = self.jobs()
        self.lines += self.late_bonuses(jobs)
        for job in jobs:
            self.lines += self.new_lines(job)
        order = self.reverse(jobs)
        self.lines += self.adjustments() + self.lump_sums()
        for job in jobs:
            self.book(job)
        self.programme.refund_order |= order
        self.programme.lines += self.lines
        self.close()

    def is_late(self, own_month):
        return own_month if own_month < self.month else None

    # Rankings

    def rank(self):
        """Makes the rankings of the quarter that the month ends."""
        if int(self.month[5:]) % 3:
            return
        version, begin = self.programme.on(self.last_day), quarter_begins(self.last_day)
        for ranking in version.rankings:
            if "from" in ranking and ranking["from"] > begin:
                continue
            for partner, revenue in self.winners(ranking, begin):
                won = (ranking["id"], number(ranking["rate"]))
                if ranking.get("applies", "next_quarter") == "next_quarter":
                    quarter = quarter_of(self.last_day + ONE)
                    self.programme.ranks.setdefault((quarter, partner), []).append(won)
                else:
                    self.programme.lump_sums.append((self.month, partner, revenue, *won))

    def winners(self, ranking, begin):
        revenues = {}
        for partner in self.world.revenue_entries(self.program):
            if self.world.is_active(self.program, partner, self.last_day):
                revenue = self.world.revenue(self.program, partner, begin, self.last_day + ONE)
                if revenue > 0:
                    revenues[partner] = revenue
        if not revenues:
            return []
        places = -(-number(ranking["top"]) * len(revenues) // 1)
        cut = sorted(revenues.values(), reverse=True)[int(places) - 1]
        return [(partner, revenue) for partner, revenue in revenues.items() if revenue >= cut]

    # Invoices

    def jobs(self):
        """The invoices that the month books, in the order in which deals' caps are used."""
        jobs = []
        for invoice in self.world.paid_invoices():
            paid_on = self.world.paid_on(self.program, invoice)
            is_history = paid_on < first_day(self.programme.first_period)
            if invoice["id"] in self.programme.booked or is_history or self.programme.own_month(paid_on) > self.month:
                continue
            job = Job(self.world, self.program, invoice)
            if any(job.credits):
                jobs.append(job)
        return sorted(jobs, key=lambda job: job.order)

    def new_lines(self, job):
        version, invoice = self.programme.on(job.paid_on), job.invoice
        grants = spiff_grants(self.world, self.programme, invoice, job.items, job.paid_on, job.credits)
        cost = minor(invoice.get("processing_cost") or "0", invoice["currency"])
        costs, lines = spread(cost, [item.amount for item in job.items]), []
        for place, item in enumerate(job.items):
            for which, credit in enumerate(job.credits[place]):
                rated = Rated(self.world, version, invoice, item, job.paid_on, credit)
                lines += rated.lines(grants.get((place, which), []), costs[place])
        own = {"own_month": job.own_month, "late_from": self.is_late(job.own_month)}
        return [line | own for line in lines]

    def late_bonuses(self, jobs):
        """Bonuses whose condition now holds, on items of the same month and partner that were booked before (domain.md §4.1)."""
        late, booked_now = [], {}
        for job in jobs:
            credited = {credit.partner for credits in job.credits for credit in credits}
            booked_now.setdefault(month_of(job.paid_on), set()).update(credited)
        for line in self.programme.lines:
            is_base = line["source"] == "invoice" and line["component"] == "base"
            paid_on = day(line["earned_on"])
            if is_base and line["from_partner"] in booked_now.get(month_of(paid_on), ()):
                late += self.late_bonuses_of(line, paid_on)
        return late

    def late_bonuses_of(self, base, paid_on):
        version, invoice = self.programme.on(paid_on), self.world.facts["invoices"][base["invoice"]]
        same = ("source", "invoice", "item", "from_partner", "role")
        posted = [
            line["rule"]
            for line in self.programme.lines
            if line["component"] == "volume_bonus" and all(line[name] == base[name] for name in same)
        ]
        [item] = [item for item in self.world.items(invoice) if item.id == base["item"]]
        rated = LateItem(self.world, version, invoice, item, paid_on, base)
        own_month = self.programme.own_month(paid_on)
        own = {"own_month": own_month, "late_from": self.is_late(own_month)}
        return [line | own for line in rated.volume_bonuses(posted)] if rated.role["extras"] else []

    def book(self, job):
        self.programme.booked[job.invoice["id"]] = self.month
        if job.invoice["id"] not in self.world.fixed:
            self.world.fixed[job.invoice["id"]] = {
                item.key: self.world.credits_of_item(job.invoice, item, job.paid_on) for item in job.items
            }

    # Refunds

    def reverse(self, jobs):
        """Books the reversals that fall in the month; gives the places of the refunds that are new."""
        of_invoices, new = {}, {id(line) for line in self.lines}
        for line in self.programme.lines + self.lines:
            if line["source"] == "invoice":
                of_invoices.setdefault(line["invoice"], []).append(line)
        order = {}
        for name in sorted(set(self.programme.booked) | {job.invoice["id"] for job in jobs}):
            invoice = self.world.facts["invoices"][name]
            due = [refund for refund in self.world.refunds(self.program, invoice) if self.is_due(refund)]
            booked = [refund for refund in due if refund["id"] in self.programme.refund_order]
            for place, refund in enumerate(due[len(booked) :], len(booked) + 1):
                order[refund["id"]] = place
            items = self.world.items(invoice)
            taken = taken_by_refunds(items, due, invoice["currency"])
            for line in of_invoices.get(name, []):
                place = [item.id for item in items].index(line["item"])
                parts = [(refund, part[place]) for refund, part in zip(due, taken)]
                for reversal in self.reversals(line, items[place], parts):
                    if id(line) in new or reversal["source_id"] in order:
                        self.lines.append(reversal)
        return order

    def is_due(self, refund):
        dated_on = self.programme.date_of(instant(refund["refunded_at"]))
        return refund["id"] in self.programme.refund_order or dated_on <= self.last_day

    def reversals(self, line, item, parts):
        """What the refunds of an item take back of one of its lines, in order."""
        rounding = self.programme.on(day(line["earned_on"])).rounding
        refunded = reversed_before = referred_before = 0
        for refund, part in parts:
            if part == 0 or (line["component"] == "processing_cost" and not self.returns_cost(refund)):
                continue
            refunded += part
            so_far = rounded(Fraction(line["amount"] * min(refunded, item.amount), item.amount), rounding)
            referred = rounded(refunded * line["credit_share"], rounding) if line["referred"] else 0
            amount, referred_amount = reversed_before - so_far, referred_before - referred
            reversed_before, referred_before = so_far, referred
            if amount == 0 and line["component"] != "base":
                continue
            own_month = max(month_of(self.programme.date_of(instant(refund["refunded_at"]))), line["own_month"])
            yield line | {
                "source": "refund", "source_id": refund["id"], "base": -part, "amount": amount,
                "referred": referred_amount, "late_from": self.is_late(own_month),
            }  # fmt: skip

    def returns_cost(self, refund):
        if refund.get("kind") == "chargeback_won":
            refund = self.world.facts["refunds"][refund["of"]]
        return refund.get("cost_returned") == "true"

    # Lines without an invoice

    def plain_line(self, component, source, source_id, partner, currency, on, base, amount):
        rank = self.world.effective_rank(self.program, partner, on)
        return {
            "source": source, "source_id": source_id, "invoice": None, "item": None, "role": None, "component": component,
            "rule": None, "rate_source": None, "level": 0, "from_partner": partner, "payee": partner, "currency": currency,
            "earned_on": str(on), "tier": self.programme.on(on).tier_id(rank), "base": base, "rate": None, "share": 1,
            "amount": amount, "referred": 0, "fund": None, "late_from": None, "corrects": None,
        }  # fmt: skip

    def adjustments(self):
        posted = {line["source_id"] for line in self.programme.lines if line["source"] == "adjustment"}
        lines = []
        for row in self.world.facts.of("adjustments", program=self.program):
            on, amount = day(row["adjusted_on"]), minor(row["amount"], row["currency"])
            if on <= self.last_day and row["id"] not in posted:
                line = self.plain_line("adjustment", "adjustment", row["id"], row["partner"], row["currency"], on, amount, amount)
                lines.append(line | {"late_from": self.is_late(month_of(on)), "corrects": row.get("corrects") or None})
        return lines

    def lump_sums(self):
        version, lines = self.programme.on(self.last_day), []
        for month, partner, revenue, ranking, rate in self.programme.lump_sums:
            base = rounded(revenue / major(1, version.currency), version.rounding)
            amount = rounded(base * rate, version.rounding)
            if month == self.month and amount:
                source_id = f"{ranking}/{quarter_of(self.last_day)}"
                line = self.plain_line("rank_bonus", "ranking", source_id, partner, version.currency, self.last_day, base, amount)
                lines.append(line | {"rule": ranking, "rate": rate})
        return lines

    # Settlements

    def close(self):
        settlements = {key: [] for key, carried in self.programme.carried.items() if carried}
        for line in self.lines:
            settlements.setdefault((line["payee"], line["currency"]), []).append(line)
        carried, found = {}, []
        for (partner, currency), lines in sorted(settlements.items()):
            opening = self.programme.carried.get((partner, currency), 0)
            totals = self.totals(partner, currency, opening, lines)
            carried[partner, currency] = totals["carried_forward"]
            found.append(self.settlement(partner, currency, lines, totals))
        self.programme.carried = carried
        self.programme.settlements[self.month] = found

    def totals(self, partner, currency, opening, lines):
        """The sums of a settlement, minor units (domain.md §4.6)."""
        cash = sum(line["amount"] for line in lines if not line["fund"])
        net, terms = opening + cash, self.programme.on(self.last_day)
        is_reached = net >= minor(terms.minimum_payout(currency), currency)
        is_terminated = self.world.status(self.program, partner, self.last_day) == "terminated"
        payout = net if net > 0 and (is_reached or is_terminated) else 0
        return {
            "referred_revenue": sum(line["referred"] for line in lines), "opening_balance": opening, "cash_lines": cash,
            "net": net, "cash_payout": payout, "carried_forward": net - payout,
            "coop_credit": sum(line["amount"] for line in lines if line["fund"]),
        }  # fmt: skip

    def settlement(self, partner, currency, lines, totals):
        """As interface.md §3 writes it, with the digest of the whole."""
        document = {
            "format": 1, "program": self.program, "partner": partner, "period": self.month, "currency": currency,
            "lines": [line_json(line) for line in sorted(lines, key=line_order)],
            "totals": {name: money_text(amount, currency) for name, amount in totals.items()},
        }  # fmt: skip
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return document | {"digest": "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()}


class LateItem(Rated):
    """An item that was booked before: its credit and tier stay as they were rated."""

    def __init__(self, world, version, invoice, item, on, base):
        super().__init__(world, version, invoice, item, on, BookedCredit(base))
        self.rank = version.rank[base["tier"]]


class BookedCredit:
    """The credit that a base line was rated by."""

    def __init__(self, base):
        self.partner, self.role, self.share = base["from_partner"], base["role"], base["credit_share"]


def line_order(line):
    names = "earned_on invoice source source_id item level component rule from_partner role".split()
    return [line[name] if name == "level" else line[name] or "" for name in names]


def line_json(line):
    currency, rate = line["currency"], line["rate"]
    names = (
        "source source_id invoice item role component rule rate_source level from_partner earned_on tier fund late_from corrects"
    ).split()
    return {name: line[name] for name in names} | {
        "part": 0, "base": money_text(line["base"], currency), "rate": None if rate is None else decimal_text(rate),
        "share": decimal_text(line["share"]), "amount": money_text(line["amount"], currency),
    }  # fmt: skip
