//! A row's partner is that of the row it belongs to: no reference crosses partners or programmes (invariant 29).

use super::finding::Invariant::OwnPartner;
use super::scan::Scan;
use crate::load::row::LoadError;

/// A query, what its columns are called, and what is wrong with its rows.
type Rule = (&'static str, &'static [&'static str], &'static str);

const LINE: &[&str] = &["program", "source", "source_id", "item", "payee", "from_partner", "component"];

const RULES: [Rule; 15] = [
    (
        "SELECT program, source, source_id, item, payee, from_partner, component FROM commission_lines WHERE level = 0 AND payee <> from_partner ORDER BY 1, 3, 4",
        LINE,
        "the line of level 0 is not the credited partner's own",
    ),
    (
        "SELECT l.program, l.source, l.source_id, l.item, l.payee, l.from_partner, l.component FROM commission_lines l \
         WHERE l.source = 'refund' AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.id = l.source_id AND r.invoice = l.invoice) ORDER BY 1, 3, 4",
        LINE,
        "the refund is of another invoice",
    ),
    (
        "SELECT program, source, source_id, item, payee, from_partner, component FROM commission_lines WHERE source = 'invoice' AND source_id <> invoice ORDER BY 1, 3, 4",
        LINE,
        "the line names another invoice than its source",
    ),
    (
        "SELECT l.program, l.source, l.source_id, l.item, l.payee, l.from_partner, l.component FROM commission_lines l JOIN invoices i ON i.id = l.invoice \
         WHERE l.invoice <> '' AND i.currency <> l.currency ORDER BY 1, 3, 4",
        LINE,
        "the invoice is in another currency",
    ),
    (
        "SELECT b.program, b.refund, b.invoice FROM booked_refunds b JOIN refunds r ON r.id = b.refund WHERE r.invoice <> b.invoice ORDER BY 1, 2",
        &["program", "refund", "invoice"],
        "the refund is booked for another invoice",
    ),
    (
        "SELECT b.program, b.invoice, b.item, b.partner, b.credit FROM booked_credits b JOIN credits c ON c.id = b.credit \
         WHERE c.partner <> b.partner OR c.role <> b.role ORDER BY 1, 2, 3",
        &["program", "invoice", "item", "partner", "credit"],
        "the recorded credit is another partner's or role's",
    ),
    (
        "SELECT s.program, s.partner, s.period, s.currency FROM settlements s \
         WHERE NOT EXISTS (SELECT 1 FROM memberships m WHERE m.program = s.program AND m.partner = s.partner) ORDER BY 1, 3, 2",
        &["program", "partner", "period", "currency"],
        "a settlement of a partner that is no member of the programme",
    ),
    (
        "SELECT p.transaction_id, p.account FROM settlements s \
         JOIN postings p ON p.transaction_id = 'settlement/' || s.program || '/' || s.period || '/' || s.partner || '/' || s.currency \
         WHERE p.account NOT IN ('partner:' || s.partner || ':' || s.program || ':payable', 'partner:' || s.partner || ':' || s.program || ':coop') \
           AND SUBSTR(p.account, 1, LENGTH('expense:' || s.program || ':')) <> 'expense:' || s.program || ':' ORDER BY 1, 2",
        &["transaction", "account"],
        "the settlement of one member posts to another's account",
    ),
    (
        "SELECT DISTINCT d.program, d.partner, d.invoice, d.item, d.role FROM lot_draws d WHERE NOT EXISTS (SELECT 1 FROM commission_lines l \
         WHERE l.program = d.program AND l.payee = d.partner AND l.invoice = d.invoice AND l.item = d.item AND l.role = d.role AND l.currency = d.currency \
           AND l.source = 'invoice' AND l.fund = d.fund) ORDER BY 1, 2, 3",
        &["program", "partner", "invoice", "item", "role"],
        "a draw on a lot that the wallet does not have",
    ),
    (
        "SELECT p.id, p.partner, p.currency, p.destination FROM payouts p LEFT JOIN payout_destinations d ON d.id = p.destination \
         WHERE p.destination IS NOT NULL AND (d.id IS NULL OR d.partner <> p.partner OR d.currency <> p.currency OR d.approved_at IS NULL) ORDER BY 1",
        &["payout", "partner", "currency", "destination"],
        "the destination is not an approved one of the partner",
    ),
    (
        "SELECT q.transaction_id, q.account, q.currency FROM transactions t JOIN postings q ON q.transaction_id = t.id JOIN payouts p ON p.id = SUBSTR(t.id, 8, 40) \
         WHERE t.kind IN ('payout_requested', 'payout_paid', 'payout_returned', 'payout_failed') AND (q.currency <> p.currency OR t.program <> p.program \
           OR (q.account LIKE 'partner:%' AND q.account <> 'partner:' || p.partner || ':' || p.program || CASE WHEN p.kind = 'settlement' THEN ':payable' ELSE ':coop' END)) \
         ORDER BY 1",
        &["transaction", "account", "currency"],
        "the payout of one member posts to another's account",
    ),
    (
        "SELECT p.id, p.partner, p.retried_from FROM payouts p JOIN payouts f ON f.id = p.retried_from WHERE f.partner <> p.partner OR f.program <> p.program ORDER BY 1",
        &["payout", "partner", "retried_from"],
        "the payout before it is another partner's",
    ),
    (
        "SELECT c.id, c.partner, c.campaign FROM claims c LEFT JOIN campaigns g ON g.id = c.campaign \
         WHERE g.id IS NULL OR g.partner <> c.partner OR g.program <> c.program OR g.currency <> c.currency ORDER BY 1",
        &["claim", "partner", "campaign"],
        "the campaign is another member's, or in another currency",
    ),
    (
        "SELECT p.id, p.partner, p.reference FROM payouts p LEFT JOIN claims c ON c.id = p.reference WHERE p.kind = 'mdf_claim' \
         AND (c.id IS NULL OR c.partner <> p.partner OR c.program <> p.program OR c.currency <> p.currency) ORDER BY 1",
        &["payout", "partner", "claim"],
        "the payout is of another member's claim, or of one that is not there",
    ),
    (
        "SELECT m.claim, m.ordinal, q.account FROM claim_moves m JOIN claims c ON c.id = m.claim JOIN postings q ON q.transaction_id = m.posted \
         WHERE q.currency <> c.currency OR q.account NOT IN ('payouts:in-transit', 'partner:' || c.partner || ':' || c.program || ':coop', \
           'partner:' || c.partner || ':' || c.program || ':coop-held') ORDER BY 1, 2",
        &["claim", "ordinal", "account"],
        "the claim of one member moves another's account",
    ),
];

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for (query, keys, what) in RULES {
        scan.offending(OwnPartner, query, keys, what).await?;
    }
    Ok(())
}
