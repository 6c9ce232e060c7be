"""Worlds made of others: the same partners and customers under other terms, with facts that come late, are missing or new.

What comes out need not be sound in all: the product refuses what must not be recorded, and both go on without it. The same
seed gives the same world.
"""

import copy
import random
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction

from .days import ONE, first_day, instant, month_of, next_month, previous_month
from .facts import KEYS
from .money import exponent, minor, money_text, number
from .scripts import Apply, Import, Recertify, Settle, programme_of, read, toml_text

ZONES = [
    "Africa/Cairo", "America/Santiago", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin",
    "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC",
]  # fmt: skip
#: Columns that may be filled later.
OPTIONAL = {
    "invoices": ["paid_at", "deal", "partner", "processing_cost", "product", "payment_method"],
    "customers": ["referred_by", "activated_on", "churned_on"],
    "deals": ["partner", "motion"],
    "credits": ["from", "through"],
    "certifications": ["revoked_on"],
    "partners": ["kind", "country"],
    "invoice_items": ["product", "deal"],
    "parents": ["override_rate"],
}
#: Kinds whose rows may come late as a whole.
LATE = ("invoices", "credits", "metrics", "certifications")
VOIDED = (
    "adjustments certifications credits freezes invoices metrics parents refunds statuses tiers"
).split()
#: The order in which kinds are imported: what is referred to comes first.
ORDER = (
    "customers deals invoices invoice_items credits certifications metrics fx partners parents refunds tiers statuses "
    "adjustments freezes"
).split()


def mutated(folder, seed):
    """The script of a world, mutated by a seed."""
    return Mutation(random.Random(seed)).script(folder)


class Mutation:
    def __init__(self, chance):
        self.random = chance
        #: Whether months, versions and first periods are moved about, too.
        self.is_restless = chance.random() < 0.5
        self.commands = []
        #: Programmes by id, as first mutated and as they are now.
        self.first, self.now = {}, {}
        #: Rows that are still to come: (kind, row).
        self.pending = []
        self.members, self.invoices, self.items, self.deals = [], {}, {}, {}

    def maybe(self, probability):
        return self.random.random() < probability

    def script(self, folder):
        for command, _ in read(folder):
            if isinstance(command, Apply):
                self.apply(programme_of(command), command.effective_from)
            elif isinstance(command, Import):
                self.record(command)
            else:
                self.before(command)
                self.commands.append(command)
        self.flush(1)
        self.settle_on()
        return [(command, None) for command in self.commands]

    # Programmes

    def apply(self, programme, effective_from):
        name = programme["program"]["id"]
        if name in self.first:
            programme = self.successor(name, programme)
        elif self.maybe(0.9):
            programme = Terms(self, programme, is_first=True).mutated()
        self.first.setdefault(name, programme)
        self.now[name] = programme
        self.commands.append(Apply(toml_text(programme), effective_from))

    def successor(self, name, programme):
        """A later version: what all share stays."""
        first, programme = self.first[name], Terms(self, programme, is_first=False).mutated()
        programme["program"] |= {key: first["program"][key] for key in ("currency", "timezone")}
        programme["settlement"] |= {"first_period": first["settlement"]["first_period"]}
        programme["settlement"]["hold_days"] = first["settlement"].get("hold_days", 0)
        return programme

    # Facts of the world

    def record(self, command):
        rows = command.rows
        if command.kind == "fx" and self.maybe(0.15):
            rows = [row for row in rows if self.maybe(0.9)]
        self.put(command.kind, [row for row in rows if self.is_on_time(command.kind, row)])

    def is_on_time(self, kind, row):
        """Notes a row; some come later, some come without a column that is filled later."""
        if kind == "partners":
            self.members.append((row["id"], row["program"]))
        elif kind == "memberships":
            self.members.append((row["partner"], row["program"]))
        elif kind == "invoices":
            self.invoices[row["id"]] = dict(row)
        elif kind == "invoice_items":
            self.items.setdefault(row["invoice"], []).append(row)
        if kind in OPTIONAL and self.maybe(0.2):
            column = self.random.choice(OPTIONAL[kind])
            if row.get(column):
                self.pending.append((kind, dict(row)))
                row[column] = ""
            return True
        if kind in LATE and self.maybe(0.1) and row.get("id") not in self.items:
            self.pending.append((kind, row))
            return False
        return True

    def put(self, kind, rows):
        if rows:
            self.commands.append(Import(kind, rows))

    def flush(self, probability):
        """Imports what was kept back, or some of it."""
        due, kept = defaultdict(list), []
        for kind, row in self.pending:
            if self.maybe(probability):
                due[kind].append(row)
            else:
                kept.append((kind, row))
        self.pending = kept
        for kind in ORDER:
            self.put(kind, due[kind])

    # What happens before a month is settled or a review made

    def before(self, command):
        around = command.on if isinstance(command, Recertify) else first_day(command.month)
        if self.maybe(0.7):
            self.flush(0.5)
        events = [
            self.status, self.tier, self.parent, self.freeze, self.deal, self.adjustment, self.void,
            self.credit, self.credit, self.refund, self.refund, self.refund, self.invoice, self.invoice, self.invoice,
        ]  # fmt: skip
        for _ in range(self.random.randint(0, 3)):
            self.random.choice(events)(around)
        if self.maybe(0.45 if self.is_restless else 0.15):
            version = self.successor(command.program, self.now[command.program])
            self.now[command.program] = version
            self.commands.append(Apply(toml_text(version), str(around + self.random.randint(0, 40) * ONE)))
        if self.is_restless:
            if isinstance(command, Settle):
                command.is_through = True
            if self.maybe(0.3):
                month = month_of(around - self.random.randint(1, 40) * ONE)
                self.commands.append(Settle(self.random.choice(list(self.now)), month, is_through=True))

    def settle_on(self):
        """Two more months of each programme, some with a review."""
        last = {}
        for command in self.commands:
            if isinstance(command, Settle):
                last[command.program] = max(last.get(command.program, ""), command.month)
        for _ in range(2):
            for program in last:
                last[program] = next_month(last[program])
                if self.maybe(0.6):
                    self.commands.append(Recertify(program, first_day(last[program]) + self.random.choice([0, 0, 9]) * ONE))
                self.commands.append(Settle(program, last[program], is_through=True))

    def new_id(self, letter):
        return f"X{letter}{len(self.commands)}"

    def near(self, around):
        return str(around + self.random.randint(-5, 35) * ONE)

    def member(self):
        return self.random.choice(self.members) if self.members else ("nobody", next(iter(self.now)))

    def some_invoice(self, is_paid=False):
        found = [row for row in self.invoices.values() if row.get("paid_at") or not is_paid]
        return self.random.choice(found) if found else None

    def status(self, around):
        partner, program = self.member()
        status = self.random.choice(["active", "suspended", "terminated"])
        self.put("statuses", [{"partner": partner, "program": program, "status": status, "effective_from": self.near(around)}])

    def tier(self, around):
        partner, program = self.member()
        tier = self.random.choice(self.first[program]["tiers"])["id"]
        self.put("tiers", [{"partner": partner, "program": program, "tier": tier, "effective_from": self.near(around)}])

    def parent(self, around):
        partner, program = self.member()
        parent = self.random.choice([other for other, of in self.members if of == program] + [""])
        rate = self.random.choice(["", "", "7%"]) if parent else ""
        row = {"partner": partner, "program": program, "parent": parent, "effective_from": self.near(around), "override_rate": rate}
        self.put("parents", [row])

    def freeze(self, around):
        partner, program = self.member()
        row = {
            "id": self.new_id("F"), "program": program, "partner": self.random.choice(["", partner]),
            "what": self.random.choice(["promotion", "demotion"]), "from": self.near(around),
            "through": str(around + self.random.randint(36, 80) * ONE), "reason": "reason",
        }  # fmt: skip
        self.put("freezes", [row])

    def deal(self, around):
        invoice = self.some_invoice()
        if invoice is None:
            return
        currency, flags = invoice["currency"], ["true", "false"]
        value = self.random.choice([1, 2, 5]) * minor(invoice["subtotal"], currency) // 2
        row = {
            "id": self.new_id("D"), "customer": invoice["customer"], "partner": self.random.choice(["", self.member()[0]]),
            "contract_value": money_text(value, currency), "currency": currency, "signed_on": self.near(around),
            "new_logo": self.random.choice(flags), "registered": self.random.choice(flags), "motion": "sell-through",
        }  # fmt: skip
        self.deals[row["id"]] = currency
        self.put("deals", [row])

    def credit(self, around):
        invoice = self.some_invoice()
        if invoice is None:
            return
        place = self.random.choice(["customer", "customer", "deal", "invoice"])
        of = invoice["id"] if place == "invoice" else invoice.get(place)
        if not of:
            return
        for which in range(self.random.randint(1, 2)):
            partner, program = self.member()
            begin = self.random.choice(["", self.near(around)])
            end = self.random.choice(["", str(around + 20 * ONE)])
            row = {
                "id": f"{self.new_id('K')}-{which}", "partner": partner, "role": self.role(program),
                "share": self.random.choice(["0.5", "0.3", "0.125"]), "program": self.random.choice([program, ""]), place: of,
                "from": begin, "through": end if not begin or begin <= end else "",
            }  # fmt: skip
            self.put("credits", [row])

    def role(self, program):
        return self.random.choice(["sourced", "sourced", *self.first[program].get("roles", {})])

    def adjustment(self, around):
        partner, program = self.member()
        currency = self.random.choice([self.first[program]["program"]["currency"], "USD"])
        row = {
            "id": self.new_id("A"), "partner": partner, "program": program, "amount": self.random.choice(["-500", "-20", "30", "700"]),
            "currency": currency, "adjusted_on": self.near(around), "reason": "reason", "approved_by": "somebody",
        }  # fmt: skip
        self.put("adjustments", [row])

    def void(self, around):
        """Voids a fact, mostly a late one, and perhaps has it recorded anew."""
        imports = [command for command in self.commands if isinstance(command, Import) and command.kind in VOIDED]
        found = [(command.kind, row) for command in imports for row in command.rows][-60:]
        if not found:
            return
        kind, row = self.random.choice(found)
        names = KEYS.get(kind, ("id",))
        if not all(row.get(name) for name in names):
            return
        name = "/".join(row[name] for name in names)
        self.put("voids", [{"kind": kind, "id": name, "reason": f"reason {len(self.commands)}", "approved_by": "somebody"}])
        if kind == "invoices":
            self.invoices.pop(name, None)
        elif self.maybe(0.4):
            self.pending.append((kind, dict(row)))

    def refund(self, around):
        invoice = self.some_invoice(is_paid=True)
        subtotal = minor(invoice["subtotal"], invoice["currency"]) if invoice else 0
        if subtotal < 2:
            return
        amount = self.random.choice([subtotal, subtotal // 2, subtotal // 3 or 1, self.random.randint(1, subtotal)])
        paid_at = instant(invoice["paid_at"])
        soon = paid_at + timedelta(hours=self.random.randint(1, 200))
        then = paid_at.replace(year=around.year, month=around.month, day=1) + self.random.randint(-20, 40) * ONE
        items = self.items.get(invoice["id"], [])
        kind = self.random.choice(["refund", "credit_note", "chargeback"])
        row = {
            "id": self.new_id("R"), "invoice": invoice["id"], "amount": money_text(amount, invoice["currency"]),
            "item": self.random.choice(items)["item"] if items and self.maybe(0.5) else "",
            "refunded_at": max(soon, then).isoformat(), "kind": kind, "cost_returned": self.random.choice(["true", "false", ""]),
        }  # fmt: skip
        self.put("refunds", [row])
        if kind == "chargeback" and self.maybe(0.7):
            back = self.random.choice([amount, max(1, amount // 2)])
            won = {
                "id": f"{row['id']}-won", "invoice": invoice["id"], "amount": money_text(back, invoice["currency"]), "item": "",
                "refunded_at": (max(soon, then) + self.random.randint(0, 40) * ONE).isoformat(), "kind": "chargeback_won", "of": row["id"],
            }  # fmt: skip
            if self.maybe(0.6):
                self.put("refunds", [won])
            else:
                self.pending.append(("refunds", won))

    def invoice(self, around):
        """An invoice like another one, paid about now, perhaps with items and a credit of its own."""
        like = self.some_invoice()
        if like is None:
            return
        begin = datetime(around.year, around.month, 1)
        paid_at = begin + timedelta(days=self.random.randint(-60, 31), hours=self.random.randint(0, 23))
        row = like | {"id": self.new_id("I"), "paid_at": paid_at.isoformat() + "Z", "issued_on": ""}
        self.invoices[row["id"]] = row
        self.put("invoices", [row])
        if not self.maybe(0.4):
            return
        items = self.split(row)
        self.items[row["id"]] = items
        self.put("invoice_items", items)
        if self.maybe(0.6):
            partner, program = self.member()
            credit = {
                "id": self.new_id("K"), "partner": partner, "role": self.role(program), "program": program, "invoice": row["id"],
                "share": self.random.choice(["1", "50%", "0.333333"]), "item": self.random.choice(["", *(item["item"] for item in items)]),
            }  # fmt: skip
            self.put("credits", [credit])

    def split(self, invoice):
        """Items that add up to an invoice."""
        currency, names = invoice["currency"], self.random.sample(["1", "2", "3", "a", "b", "c"], self.random.randint(2, 3))
        subtotal = minor(invoice["subtotal"], currency)
        cuts = [0, *sorted(self.random.randint(0, subtotal) for _ in names[1:]), subtotal]
        deals = ["", *(name for name, of in self.deals.items() if of == currency)]
        return [
            {
                "invoice": invoice["id"], "item": name, "amount": money_text(end - begin, currency),
                "product": self.random.choice(["", "cloud", "device"]), "deal": self.random.choice(deals),
            }
            for name, begin, end in zip(names, cuts, cuts[1:])
        ]  # fmt: skip


class Terms:
    """Other terms for a programme."""

    def __init__(self, mutation, programme, is_first):
        self.random, self.maybe, self.is_first = mutation.random, mutation.maybe, is_first
        self.is_restless = mutation.is_restless
        self.file = copy.deepcopy(programme)
        self.settlement = self.file["settlement"]
        #: Thresholds of rules, in the programme's currency, are about as hard to reach in each.
        self.unit = 100 ** (1 - exponent(self.file["program"]["currency"]) / 2)
        self.has_metrics = bool(self.file.get("metrics"))

    def percent(self, most):
        return f"{self.random.randint(1, most * 4) / 4}%"

    def mutated(self):
        self.header()
        self.recertification()
        self.hierarchy()
        self.coop()
        self.tiers()
        self.rules()
        self.rankings()
        self.roles()
        self.rates()
        return self.file

    def header(self):
        if self.maybe(0.4):
            self.file["program"]["rounding"] = self.random.choice(["half_up", "half_even"])
        if self.is_first:
            if self.maybe(0.4):
                self.file["program"]["timezone"] = self.random.choice(ZONES)
            if self.is_restless and self.maybe(0.4):
                first = self.settlement["first_period"]
                self.settlement["first_period"] = self.random.choice([previous_month(first), next_month(first)])
            if self.maybe(0.6):
                self.settlement["hold_days"] = self.random.choice([0, 3, 14, 30, 45])
        if self.maybe(0.5):
            self.settlement["net_processing_cost"] = self.maybe(0.5)
        if self.maybe(0.3):
            self.settlement["minimum_payout"] = self.random.choice(["0", "10", "200", "1000"])

    def recertification(self):
        section = self.file.setdefault("recertification", {})
        if self.maybe(0.5):
            section["promotion"] = self.random.choice(["immediate", "recertification"])
        if self.maybe(0.5):
            section |= {"grace_cycles": self.random.choice([0, 1, 2]), "max_demotion_steps": self.random.choice([1, 2])}
        if self.maybe(0.4):
            section["customer_min_age_days"] = self.random.choice([0, 30, 90, 200])

    def hierarchy(self):
        if not self.maybe(0.7):
            return
        self.file["hierarchy"] = {
            "mode": self.random.choice(["override", "share", "differential"]),
            "levels": [self.percent(12) for _ in range(self.random.randint(1, 3))],
            "paid_by": self.random.choice(["vendor", "vendor", "child"]),
            "inactive": self.random.choice(["breakage", "compress"]),
            "share_spiffs": self.maybe(0.5),
        }
        if self.file["hierarchy"]["paid_by"] == "vendor" and self.maybe(0.5):
            self.file["hierarchy"]["max_total_rate"] = self.percent(25)

    def coop(self):
        if self.maybe(0.5):
            self.file["coop"] = {"funded_by": self.random.choice(["vendor", "commission"])}
            if self.maybe(0.5):
                self.file["coop"]["expires_after_months"] = self.random.choice([1, 2, 3])

    def tiers(self):
        tiers = self.file["tiers"]
        if self.maybe(0.5):
            lower = self.random.choice([Fraction(1, 20), Fraction(1, 5), Fraction(1, 2)])
            for tier in tiers[1:]:
                tier["threshold"] = str(int(number(tier["threshold"]) * lower))
        for tier in tiers:
            if self.maybe(0.3):
                tier["rate"] = self.percent(20)
            if self.maybe(0.3):
                tier["coop_rate"] = self.percent(4)
            if "requires" in tier and self.maybe(0.5):
                del tier["requires"]
            if tier is not tiers[0] and self.maybe(0.1):
                tier["invitation_only"] = True

    def rules(self):
        rules = self.file.setdefault("rules", [])
        if not self.is_first and self.maybe(0.35):
            rules[:] = [rule for rule in rules if self.maybe(0.4)]
        for _ in range(self.random.randint(0, 3)):
            self.add("rules", self.volume_bonus())
        for _ in range(self.random.randint(0, 3)):
            self.add("rules", self.spiff())
        if not self.is_first and self.maybe(0.35):
            rules[:] = [rule for rule in rules if rule["kind"] != "volume_bonus"]
        self.random.shuffle(rules)

    def add(self, name, section):
        """Adds a section unless its id is taken."""
        sections = self.file.setdefault(name, [])
        if section["id"] not in [known["id"] for known in sections]:
            sections.insert(self.random.randint(0, len(sections)), section)

    def volume_bonus(self):
        much = max(1, int(self.random.choice([300, 1000, 3000, 8000]) * self.unit))
        when = self.random.choice([
            f"monthly_referred_revenue > {much}",
            f'monthly_referred_revenue >= {much} and not (role == "assist")',
            f"quarterly_referred_revenue > {much * 2}",
            f"trailing_12_month_referred_revenue > {much * 3}",
            f"monthly_referred_revenue < {much * 4}",
        ])  # fmt: skip
        return {"id": f"x{self.random.randint(0, 5)}", "kind": "volume_bonus", "rate": self.percent(5), "when": when}

    def spiff(self):
        pays = {"amount": str(self.random.randint(1, 400))} if self.maybe(0.4) else {"rate": self.percent(6)}
        conditions = ["true", "not new_logo", "amount > 10", 'role == "sourced"', "contract_value > 100"]
        if self.has_metrics:
            conditions.append("csat >= 3")
        return {
            "id": f"y{self.random.randint(0, 6)}", "kind": "spiff", **pays, "when": self.random.choice(conditions),
            "window_on": self.random.choice(["signed_on", "paid_on", "both"]),
            "pays": self.random.choice(["each_invoice", "first_invoice"]),
        }  # fmt: skip

    def rankings(self):
        if self.maybe(0.3):
            top = self.random.choice(["10%", "34%", "50%", "100%"])
            applies = self.random.choice(["next_quarter", "ranked_quarter"])
            self.add("rankings", {"id": "z", "top": top, "rate": self.percent(4), "applies": applies})

    def roles(self):
        for name in self.file.get("roles", {}):
            if self.maybe(0.25):
                self.file["roles"][name] = {key: self.maybe(0.6) for key in ("tier_rate", "referred", "extras")}

    def rates(self):
        if self.maybe(0.3):
            conditions = ["amount > 500", "monthly_referred_revenue > 2000", 'not (tier == "gold")']
            conditions.append("csat >= 3 or true" if self.has_metrics else "true")
            self.add("rates", {"id": "r", "rate": self.percent(20), "when": self.random.choice(conditions)})
