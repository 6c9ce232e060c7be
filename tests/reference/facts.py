"""Recorded facts: rows by their keys, voided ones gone; nothing is checked, since the product does that."""

KEYS = {
    "tiers": ("partner", "program", "effective_from"),
    "parents": ("partner", "program", "effective_from"),
    "statuses": ("partner", "program", "effective_from"),
    "memberships": ("partner", "program"),
    "metrics": ("partner", "metric", "as_of"),
    "fx": ("date", "from", "to"),
    "invoice_items": ("invoice", "item"),
}
KINDS = (
    "partners memberships customers deals invoices invoice_items credits refunds adjustments certifications tiers "
    "parents statuses freezes metrics fx"
).split()
#: Kinds whose rows may leave their programme out.
AT_HOME = ("tiers", "parents", "statuses", "adjustments")
#: What a row remembers of when it came, beside its columns.
ORDER = "#"


class Facts:
    """All rows of all kinds, each under its key: the id, or the identifying columns."""

    def __init__(self):
        self.rows = {kind: {} for kind in KINDS}
        self.count = 0

    def __getitem__(self, kind):
        return self.rows[kind]

    def of(self, kind, **columns):
        """The rows whose columns have these values, in the order in which they came."""
        return [row for row in self.rows[kind].values() if all(row.get(name) == value for name, value in columns.items())]

    def next_order(self):
        self.count += 1
        return self.count

    def home(self, partner):
        return self.rows["partners"][partner]["program"]

    def record(self, kind, rows):
        """Records rows; what a known one left empty is filled."""
        for row in rows:
            if kind in AT_HOME and not row.get("program"):
                row = row | {"program": self.home(row["partner"])}
            key = tuple(row[name] for name in KEYS[kind]) if kind in KEYS else row["id"]
            known = self.rows[kind].get(key)
            if known is None:
                self.rows[kind][key] = row | {ORDER: self.next_order()}
            else:
                known.update({name: value for name, value in row.items() if value})

    def void(self, rows):
        """Voids facts; the items of an invoice go with it."""
        for row in rows:
            kind, name = row["kind"], row["id"]
            del self.rows[kind][tuple(name.split("/")) if kind in KEYS else name]
            if kind == "invoices":
                items = self.rows["invoice_items"]
                self.rows["invoice_items"] = {key: item for key, item in items.items() if key[0] != name}
