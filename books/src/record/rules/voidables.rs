//! What can be voided, and what hangs on it (domain.md §2.7).

/// How a kind of facts is found again and what hangs on it. In its conditions `f` is the fact.
#[derive(Debug)]
pub(crate) struct Voidable {
    pub(crate) kind: &'static str,
    pub(crate) table: &'static str,
    /// The id as text.
    pub(crate) id: &'static str,
    /// Who may refer to it.
    pub(crate) references: &'static [Referrer],
    /// The programmes that it may concern.
    pub(crate) concerns: Concerns,
    /// A condition under which it was never used.
    pub(crate) unused: &'static str,
    /// Tables whose rows `a` go with it, and which.
    pub(crate) with_it: &'static [(&'static str, &'static str)],
}

/// How the programmes that a fact may concern are found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Concerns {
    /// By a query.
    Query(&'static str),
    /// They are those of an invoice, whose id this is.
    Invoice(&'static str),
}

/// A table that may refer to a fact.
#[derive(Debug)]
pub(crate) struct Referrer {
    pub(crate) noun: &'static str,
    pub(crate) table: &'static str,
    /// Its id as text.
    pub(crate) id: &'static str,
    /// When its row `d` refers to `f`.
    pub(crate) when: &'static str,
}

impl Referrer {
    /// Whether it is no fact, which could be voided before, but a booking, which stays.
    pub(crate) fn is_posted(&self) -> bool {
        ["bookings", "booked_refunds"].contains(&self.table)
    }
}

const fn by(noun: &'static str, table: &'static str, id: &'static str, when: &'static str) -> Referrer {
    Referrer { noun, table, id, when }
}

const OF_MEMBER: &str = "SELECT f.program";
const OF_PARTNER: &str = "SELECT m.program FROM memberships m WHERE m.partner = f.partner";
const NEVER: &str = "1 = 0";

/// All kinds that can be voided, those that refer before those that they refer to.
pub(crate) static VOIDABLES: &[Voidable] = &[
    Voidable {
        kind: "metrics",
        table: "metrics",
        id: "f.partner || '/' || f.metric || '/' || f.as_of",
        references: &[],
        concerns: Concerns::Query(OF_PARTNER),
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "fx",
        table: "fx",
        id: "f.dated_on || '/' || f.from_currency || '/' || f.to_currency",
        references: &[],
        concerns: Concerns::Query("SELECT g.id FROM programs g WHERE g.currency = f.to_currency"),
        unused: NEVER,
        with_it: &[],
    },
    Voidable { kind: "freezes", table: "freezes", id: "f.id", references: &[], concerns: Concerns::Query(OF_MEMBER), unused: NEVER, with_it: &[] },
    Voidable {
        kind: "certifications",
        table: "certifications",
        id: "f.id",
        references: &[],
        concerns: Concerns::Query(OF_PARTNER),
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "adjustments",
        table: "adjustments",
        id: "f.id",
        references: &[],
        concerns: Concerns::Query(OF_MEMBER),
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "refunds",
        table: "refunds",
        id: "f.id",
        references: &[
            by("refund", "refunds", "d.id", "d.of_refund = f.id"),
            by("booking of the refund in", "booked_refunds", "d.program || ' ' || d.period", "d.refund = f.id"),
        ],
        concerns: Concerns::Invoice("f.invoice"),
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "credits",
        table: "credits",
        id: "f.id",
        references: &[],
        concerns: Concerns::Query("SELECT COALESCE(f.program, (SELECT p.program FROM partners p WHERE p.id = f.partner))"),
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
        concerns: Concerns::Invoice("f.invoice"),
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
        concerns: Concerns::Invoice("f.id"),
        unused: "f.paid_at IS NULL",
        with_it: &[("invoice_items", "a.invoice = f.id")],
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
        concerns: Concerns::Query(
            "SELECT COALESCE(c.program, p.program) FROM credits c JOIN partners p ON p.id = c.partner WHERE c.customer = f.customer \
             UNION SELECT p.program FROM partners p \
                WHERE p.id = f.partner OR p.id = (SELECT u.referred_by FROM customers u WHERE u.id = f.customer)",
        ),
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
        concerns: Concerns::Query("SELECT g.id FROM programs g"),
        unused: "1 = 1",
        with_it: &[],
    },
    Voidable {
        kind: "statuses",
        table: "statuses",
        id: "f.partner || '/' || f.program || '/' || f.effective_from",
        references: &[],
        concerns: Concerns::Query(OF_MEMBER),
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "parents",
        table: "parent_links",
        id: "f.partner || '/' || f.program || '/' || f.effective_from",
        references: &[],
        concerns: Concerns::Query(OF_MEMBER),
        unused: NEVER,
        with_it: &[],
    },
    Voidable {
        kind: "tiers",
        table: "tier_assignments",
        id: "CASE WHEN f.origin = 'hand' THEN f.partner || '/' || f.program || '/' || f.effective_from END",
        references: &[],
        concerns: Concerns::Query(OF_MEMBER),
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
        concerns: Concerns::Query(OF_MEMBER),
        unused: NEVER,
        with_it: &[
            (
                "tier_assignments",
                "a.program = f.program AND a.partner = f.partner AND a.seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = f.partner)",
            ),
            (
                "parent_links",
                "a.program = f.program AND a.partner = f.partner AND a.seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = f.partner)",
            ),
            (
                "statuses",
                "a.program = f.program AND a.partner = f.partner AND a.seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = f.partner)",
            ),
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
        concerns: Concerns::Query(OF_MEMBER),
        unused: NEVER,
        with_it: &[
            (
                "tier_assignments",
                "a.program = f.program AND a.partner = f.id AND a.seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = f.id)",
            ),
            (
                "parent_links",
                "a.program = f.program AND a.partner = f.id AND a.seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = f.id)",
            ),
            (
                "statuses",
                "a.program = f.program AND a.partner = f.id AND a.seq = (SELECT m.seq FROM memberships m WHERE m.program = f.program AND m.partner = f.id)",
            ),
            ("memberships", "a.program = f.program AND a.partner = f.id"),
        ],
    },
];
