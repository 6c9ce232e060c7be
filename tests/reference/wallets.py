"""Co-op wallets as the lines of final settlements leave them (domain.md §4.4, §6.2)."""

from .days import day, last_day, months_after
from .money import minor


class Wallet:
    """A balance, lots by (begun on, invoice, item, role), and what is missing of what was reversed."""

    def __init__(self):
        self.balance, self.lots, self.debt = 0, {}, 0

    def accrue(self, lot, amount):
        filled = min(amount, self.debt)
        self.debt -= filled
        self.lots[lot] = amount - filled
        self.balance += amount

    def reverse(self, own, amount):
        """Takes from the lot that a line accrued, then from the oldest."""
        self.balance -= amount
        for lot in [own, *sorted(self.lots)]:
            taken = min(amount, self.lots.get(lot, 0))
            if taken:
                self.lots[lot] -= taken
                amount -= taken
        self.debt += amount

    def expire(self, lot):
        self.balance -= self.lots[lot]
        self.lots[lot] = 0


def lot_of(line):
    return line["earned_on"], line["invoice"], line["item"] or "", line["role"]


def balances(programme):
    """Balances by (partner, currency), minor units. `None`: a chargeback that was won gave something back, which is not
    followed here, for it depends on the order of what else the settlement takes."""
    wallets, unknown = {}, set()
    for month, settlements in programme.settlements.items():
        for settlement in settlements:
            key = settlement["partner"], settlement["currency"]
            wallet = wallets.setdefault(key, Wallet())
            lines = [line for line in settlement["lines"] if line["fund"]]
            for line in sorted((line for line in lines if line["source"] == "invoice"), key=lot_of):
                wallet.accrue(lot_of(line), minor(line["amount"], key[1]))
            for line in (line for line in lines if line["source"] == "refund"):
                amount = -minor(line["amount"], key[1])
                if amount < 0:
                    unknown.add(key)
                else:
                    wallet.reverse(lot_of(line), amount)
        for wallet in wallets.values():
            for lot in wallet.lots:
                months = programme.on(day(lot[0])).coop.get("expires_after_months")
                if months and months_after(day(lot[0]), months) <= last_day(month):
                    wallet.expire(lot)
    return {key: None if key in unknown else wallet.balance for key, wallet in wallets.items()}
