//! Whether a fact can be voided: who refers to it, and whether a period or a review may have used it (domain.md §2.7).

use sea_orm::{DatabaseTransaction, DbErr};

use super::voidables::{Concerns, Voidable};
use crate::sql;

/// That a row `d` of a history is not of those that the membership began with: `{later}`.
const LATER: &str = "d.seq <> (SELECT m.seq FROM memberships m WHERE m.program = d.program AND m.partner = d.partner)";
/// The programmes of all credits that an invoice's items may find, of the partners in plain columns, and of the other invoices of its
/// deal, among which it may be the first.
const OF_INVOICE: &str = "SELECT COALESCE(c.program, p.program) FROM credits c JOIN partners p ON p.id = c.partner \
     WHERE c.invoice = {id} OR c.customer = {customer} OR c.deal = {deal} OR c.deal IN ({deals}) OR c.invoice IN ({siblings}) \
     UNION SELECT p.program FROM partners p WHERE p.id = {partner} \
        OR p.id = (SELECT u.referred_by FROM customers u WHERE u.id = {customer}) \
        OR p.id IN (SELECT d.partner FROM deals d WHERE d.id = {deal} OR d.id IN ({deals})) \
        OR p.id IN (SELECT o.partner FROM invoices o WHERE o.id IN ({siblings}))";
const DEALS: &str = "SELECT t.deal FROM invoice_items t WHERE t.invoice = {id}";
const SIBLINGS: &str = "SELECT o.id FROM invoices o WHERE o.deal = {deal} OR o.deal IN ({deals}) \
     UNION SELECT t.invoice FROM invoice_items t WHERE t.deal = {deal} OR t.deal IN ({deals})";

impl Concerns {
    /// A query of the programmes, over the fact `f`.
    fn programs(self) -> String {
        match self {
            Self::Query(query) => query.to_owned(),
            Self::Invoice(id) => {
                let row = |field: &str| format!("(SELECT i.{field} FROM invoices i WHERE i.id = {id})");
                let query = OF_INVOICE.replace("{siblings}", SIBLINGS).replace("{deals}", DEALS).replace("{id}", id);
                query.replace("{customer}", &row("customer")).replace("{deal}", &row("deal")).replace("{partner}", &row("partner"))
            }
        }
    }
}

impl Voidable {
    /// Where the fact with an id is, over `f`; the id is the one value.
    pub(crate) fn found(&self) -> String {
        format!("FROM {} AS f WHERE {} = ?", self.table, self.id)
    }

    /// How many facts have the id: "/" may stand in the ids that it joins.
    pub(crate) async fn count(&self, tx: &DatabaseTransaction, id: &str) -> Result<i64, DbErr> {
        let row = sql::row(tx, &format!("SELECT COUNT(*) {}", self.found()), [id.into()]).await?;
        row.map(|row| row.try_get_by_index(0)).transpose().map(Option::unwrap_or_default)
    }

    /// Who refers to it, in words.
    pub(crate) async fn referred_by(&self, tx: &DatabaseTransaction, id: &str) -> Result<Option<String>, DbErr> {
        for referrer in self.references {
            let when = referrer.when.replace("{later}", LATER);
            let query = format!("SELECT {} FROM {} f JOIN {} d ON {when} WHERE {} = ? LIMIT 1", referrer.id, self.table, referrer.table, self.id);
            if let Some(row) = sql::row(tx, &query, [id.into()]).await? {
                let mend = if referrer.is_posted() { "correct it by a refund or an adjustment" } else { "void that first" };
                return Ok(Some(format!("{} {:?} refers to it; {mend}", referrer.noun, row.try_get_by_index::<String>(0)?)));
            }
        }
        Ok(None)
    }

    /// The period or review that may have used it, in words.
    pub(crate) async fn used_by(&self, tx: &DatabaseTransaction, id: &str) -> Result<Option<String>, DbErr> {
        let programs = self.concerns.programs();
        for (words, table, what, seq) in [("period", "periods", "period", "cutoff"), ("the review of", "reviews", "as_of", "seq")] {
            let query = format!(
                "SELECT u.{what}, u.program FROM {} f JOIN {table} u ON u.{seq} >= f.seq \
                 WHERE {} = ? AND NOT ({}) AND u.program IN ({programs}) ORDER BY 1 LIMIT 1",
                self.table, self.id, self.unused
            );
            if let Some(row) = sql::row(tx, &query, [id.into()]).await? {
                return Ok(Some(format!("{words} {} of {}", row.try_get_by_index::<String>(0)?, row.try_get_by_index::<String>(1)?)));
            }
        }
        Ok(None)
    }
}
