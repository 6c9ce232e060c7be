//! Whether a fact can be voided: who refers to it, and whether a period or a review may have used it (domain.md §2.7).

use sea_orm::{DatabaseTransaction, DbErr};

use crate::sql;

/// How a kind of facts is found again and what hangs on it. In its conditions `f` is the fact.
#[derive(Debug)]
pub(crate) struct Voidable {
    pub(crate) kind: &'static str,
    pub(crate) table: &'static str,
    /// The id as text.
    pub(crate) id: &'static str,
    /// Who may refer to it.
    references: &'static [Referrer],
    /// A query of the programmes that it may concern.
    programs: &'static str,
    /// A condition under which it was never used.
    unused: &'static str,
    /// Tables whose rows go with it, and which.
    pub(crate) with_it: &'static [(&'static str, &'static str)],
}

/// A table that may refer to a fact.
#[derive(Debug)]
struct Referrer {
    noun: &'static str,
    table: &'static str,
    /// Its id as text.
    id: &'static str,
    /// When its row `d` refers to `f`.
    when: &'static str,
}

const fn by(noun: &'static str, table: &'static str, id: &'static str, when: &'static str) -> Referrer {
    Referrer { noun, table, id, when }
}

const OF_MEMBER: &str = "SELECT f.program";
const OF_PARTNER: &str = "SELECT m.program FROM memberships m WHERE m.partner = f.partner";
const NEVER: &str = "1 = 0";
/// That a row `d` of a history is not of those that the membership began with.
const LATER: &str = "d.seq <> (SELECT m.seq FROM memberships m WHERE m.program = d.program AND m.partner = d.partner)";
const BEGAN_WITH: &str = "seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = {partner})";
/// The programmes that may have paid, or looked at, what invoice `i` brought.
const OF_INVOICE: &str = "SELECT COALESCE(c.program, p.program) FROM credits c JOIN partners p ON p.id = c.partner \
     WHERE c.invoice = i.id OR c.customer = i.customer OR c.deal IN (SELECT i.deal UNION SELECT t.deal FROM invoice_items t WHERE t.invoice = i.id) \
        OR c.invoice IN (SELECT o.id FROM invoices o WHERE o.deal = i.deal) \
     UNION SELECT p.program FROM partners p WHERE p.id = i.partner \
        OR p.id = (SELECT u.referred_by FROM customers u WHERE u.id = i.customer) \
        OR p.id IN (SELECT d.partner FROM deals d WHERE d.id = i.deal OR d.id IN (SELECT t.deal FROM invoice_items t WHERE t.invoice = i.id)) \
        OR p.id IN (SELECT o.partner FROM invoices o WHERE o.deal = i.deal)";

/// All kinds that can be voided, those that refer before those that they refer to.
pub(crate) static VOIDABLES: &[Voidable] = &[
    Voidable {
        kind: "metrics",
        table: "metrics",
        id: "f.partner || '/' || f.metric || '/' || f.as_of",
        references: &[],
        programs: OF_PARTNER,
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "fx",
        table: "fx",
        id: "f.dated_on || '/' || f.from_currency || '/' || f.to_currency",
        references: &[],
        programs: "SELECT g.id FROM programs g WHERE g.currency = f.to_currency",
        unused: NEVER,
        with_it: &[],
    },
    Voidable { kind: "freezes", table: "freezes", id: "f.id", references: &[], programs: OF_MEMBER, unused: NEVER, with_it: &[] },
    Voidable { kind: "certifications", table: "certifications", id: "f.id", references: &[], programs: OF_PARTNER, unused: NEVER, with_it: &[] },
    Voidable { kind: "adjustments", table: "adjustments", id: "f.id", references: &[], programs: OF_MEMBER, unused: NEVER, with_it: &[] },
    Voidable {
        kind: "refunds",
        table: "refunds",
        id: "f.id",
        references: &[
            by("refund", "refunds", "d.id", "d.of_refund = f.id"),
            by("booking of the refund in", "booked_refunds", "d.program || ' ' || d.period", "d.refund = f.id"),
        ],
        programs: "SELECT x.program FROM ({invoice}) x",
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "credits",
        table: "credits",
        id: "f.id",
        references: &[],
        programs: "SELECT COALESCE(f.program, (SELECT p.program FROM partners p WHERE p.id = f.partner))",
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "invoice_items",
        table: "invoice_items",
        id: "f.invoice || '/' || f.item",
        references: &[
            by("credit", "credits", "d.id", "d.invoice = f.invoice AND d.item = f.item"),
            by("refund", "refunds", "d.id", "d.invoice = f.invoice AND d.item = f.item"),
        ],
        programs: "SELECT x.program FROM ({invoice}) x",
        unused: "EXISTS (SELECT 1 FROM invoices i WHERE i.id = f.invoice AND i.paid_at IS NULL)",
        with_it: &[],
    },
    Voidable {
        kind: "invoices",
        table: "invoices",
        id: "f.id",
        references: &[
            by("credit", "credits", "d.id", "d.invoice = f.id"),
            by("refund", "refunds", "d.id", "d.invoice = f.id"),
            by("booking of the invoice in", "bookings", "d.program || ' ' || d.period", "d.invoice = f.id"),
        ],
        programs: "SELECT x.program FROM ({invoice}) x",
        unused: "f.paid_at IS NULL",
        with_it: &[("invoice_items", "invoice = {id}")],
    },
    Voidable {
        kind: "deals",
        table: "deals",
        id: "f.id",
        references: &[
            by("invoice", "invoices", "d.id", "d.deal = f.id"),
            by("item", "invoice_items", "d.invoice || '/' || d.item", "d.deal = f.id"),
            by("credit", "credits", "d.id", "d.deal = f.id"),
        ],
        programs: "SELECT COALESCE(c.program, p.program) FROM credits c JOIN partners p ON p.id = c.partner WHERE c.customer = f.customer \
             UNION SELECT p.program FROM partners p \
                WHERE p.id = f.partner OR p.id = (SELECT u.referred_by FROM customers u WHERE u.id = f.customer)",
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "customers",
        table: "customers",
        id: "f.id",
        references: &[
            by("deal", "deals", "d.id", "d.customer = f.id"),
            by("invoice", "invoices", "d.id", "d.customer = f.id"),
            by("credit", "credits", "d.id", "d.customer = f.id"),
        ],
        // Without deals, invoices and credits nothing of a customer is ever looked at.
        programs: "SELECT g.id FROM programs g",
        unused: "1 = 1",
        with_it: &[],
    },
    Voidable {
        kind: "statuses",
        table: "statuses",
        id: "f.partner || '/' || f.program || '/' || f.effective_from",
        references: &[],
        programs: OF_MEMBER,
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "parents",
        table: "parent_links",
        id: "f.partner || '/' || f.program || '/' || f.effective_from",
        references: &[],
        programs: OF_MEMBER,
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "tiers",
        table: "tier_assignments",
        id: "CASE WHEN f.origin = 'hand' THEN f.partner || '/' || f.program || '/' || f.effective_from END",
        references: &[],
        programs: OF_MEMBER,
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "memberships",
        table: "memberships",
        id: "f.partner || '/' || f.program",
        references: &[
            by("partner row, which brought it, of", "partners", "d.id", "d.id = f.partner AND d.program = f.program"),
            by("child", "parent_links", "d.partner", "d.parent = f.partner AND d.program = f.program"),
            by("tier from", "tier_assignments", "d.effective_from", "d.partner = f.partner AND d.program = f.program AND {later}"),
            by("parent from", "parent_links", "d.effective_from", "d.partner = f.partner AND d.program = f.program AND {later}"),
            by("status from", "statuses", "d.effective_from", "d.partner = f.partner AND d.program = f.program AND {later}"),
            by("credit", "credits", "d.id", "d.partner = f.partner AND d.program = f.program"),
            by("adjustment", "adjustments", "d.id", "d.partner = f.partner AND d.program = f.program"),
            by("freeze", "freezes", "d.id", "d.partner = f.partner AND d.program = f.program"),
        ],
        programs: OF_MEMBER,
        unused: NEVER,
        with_it: &[
            ("tier_assignments", "program = f.program AND partner = f.partner AND {began}"),
            ("parent_links", "program = f.program AND partner = f.partner AND {began}"),
            ("statuses", "program = f.program AND partner = f.partner AND {began}"),
        ],
    },
    Voidable {
        kind: "partners",
        table: "partners",
        id: "f.id",
        references: &[
            by("membership in", "memberships", "d.program", "d.partner = f.id AND d.program <> f.program"),
            by("child", "parent_links", "d.partner", "d.parent = f.id"),
            by("tier from", "tier_assignments", "d.effective_from", "d.partner = f.id AND {later}"),
            by("parent from", "parent_links", "d.effective_from", "d.partner = f.id AND {later}"),
            by("status from", "statuses", "d.effective_from", "d.partner = f.id AND {later}"),
            by("customer", "customers", "d.id", "d.referred_by = f.id"),
            by("deal", "deals", "d.id", "d.partner = f.id"),
            by("invoice", "invoices", "d.id", "d.partner = f.id"),
            by("credit", "credits", "d.id", "d.partner = f.id"),
            by("adjustment", "adjustments", "d.id", "d.partner = f.id"),
            by("certificate", "certifications", "d.id", "d.partner = f.id"),
            by("freeze", "freezes", "d.id", "d.partner = f.id"),
            by("metric", "metrics", "d.metric", "d.partner = f.id"),
        ],
        programs: OF_MEMBER,
        unused: NEVER,
        with_it: &[
            ("tier_assignments", "program = f.program AND partner = f.id AND {began}"),
            ("parent_links", "program = f.program AND partner = f.id AND {began}"),
            ("statuses", "program = f.program AND partner = f.id AND {began}"),
            ("memberships", "program = f.program AND partner = f.id"),
        ],
    },
];

impl Voidable {
    /// Where the fact with an id is, over `f`; the id is the one value.
    pub(crate) fn found(&self) -> String {
        format!("FROM {} f WHERE {} = ?", self.table, self.id)
    }

    /// Whether the fact's table holds exactly one row of the id.
    pub(crate) async fn count(&self, tx: &DatabaseTransaction, id: &str) -> Result<i64, DbErr> {
        let row = sql::row(tx, &format!("SELECT COUNT(*) {}", self.found()), [id.into()]).await?;
        row.map(|row| row.try_get_by_index(0)).transpose().map(Option::unwrap_or_default)
    }

    /// Who refers to it, in words.
    pub(crate) async fn referred_by(&self, tx: &DatabaseTransaction, id: &str) -> Result<Option<String>, DbErr> {
        for referrer in self.references {
            let when = referrer.when.replace("{later}", LATER);
            let query =
                format!("SELECT {} FROM {} f JOIN {} d ON {when} WHERE {} = ? LIMIT 1", referrer.id, self.table, referrer.table, self.id);
            if let Some(row) = sql::row(tx, &query, [id.into()]).await? {
                return Ok(Some(format!("{} {}", referrer.noun, row.try_get_by_index::<String>(0)?)));
            }
        }
        Ok(None)
    }

    /// The period or review that may have used it, in words.
    pub(crate) async fn used_by(&self, tx: &DatabaseTransaction, id: &str) -> Result<Option<String>, DbErr> {
        let invoice = if self.kind == "invoices" { "f.id" } else { "f.invoice" };
        let of_invoice = format!("SELECT y.program FROM invoices i, LATERAL ({OF_INVOICE}) y WHERE i.id = {invoice}");
        let _ = of_invoice;
        let programs = self.programs.replace("SELECT x.program FROM ({invoice}) x", &of_invoice_where(invoice));
        let used = |table: &str, what: &str, seq: &str| {
            format!(
                "SELECT u.program || ' ' || u.{what} FROM {} f JOIN {table} u ON u.{seq} >= f.seq \
                 WHERE {} = ? AND NOT ({}) AND u.program IN ({programs}) ORDER BY 1 LIMIT 1",
                self.table, self.id, self.unused
            )
        };
        for (words, query) in [("period", used("periods", "period", "cutoff")), ("review", used("reviews", "as_of", "seq"))] {
            if let Some(row) = sql::row(tx, &query, [id.into()]).await? {
                return Ok(Some(format!("{words} {}", row.try_get_by_index::<String>(0)?)));
            }
        }
        Ok(None)
    }

    /// Which rows of the tables in `with_it` go with it: a condition over their own fields and `f`.
    pub(crate) fn goes_along(&self, condition: &str) -> String {
        let partner = if self.kind == "partners" { "f.id" } else { "f.partner" };
        condition.replace("{began}", &BEGAN_WITH.replace("{partner}", partner)).replace("{id}", "f.id")
    }
}

fn of_invoice_where(invoice: &str) -> String {
    let row = |field: &str| format!("(SELECT i.{field} FROM invoices i WHERE i.id = {invoice})");
    OF_INVOICE.replace("i.id", invoice).replace("i.customer", &row("customer")).replace("i.deal", &row("deal")).replace("i.partner", &row("partner"))
}
