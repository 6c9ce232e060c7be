//! The refunds of invoices, in the order in which a programme takes them (domain.md §4.2).

use std::collections::HashMap;

use program::calendar::Instant;
use program::line::Text;
use program::refund::{Refund, RefundKind};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::load::Knowledge;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, rows};

/// A refund and whether this programme booked it.
#[derive(Debug, Clone)]
pub struct KnownRefund {
    /// The refund.
    pub refund: Refund,
    /// When it was made.
    pub refunded_at: Instant,
    /// Its place among those booked; `None`: not booked yet.
    pub ordinal: Option<i64>,
}

/// Refunds by invoice: those booked in their order, then the others by (`refunded_at`, id).
#[derive(Debug, Default)]
pub struct RefundBook(HashMap<Text, Vec<KnownRefund>>);

impl RefundBook {
    /// Loads the refunds of some invoices as they were known. One that is booked keeps the spread that it was booked with: an item
    /// filled after that counts for the programmes that book it later (domain.md §2.7, §4.2).
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn load(tx: &DatabaseTransaction, knowledge: &Knowledge, invoices: &[Text]) -> Result<Self, LoadError> {
        let query = format!(
            "SELECT r.invoice, r.id, r.item, r.amount_minor, r.refunded_at, r.kind, r.of_refund, r.cost_returned, b.ordinal, f.seq, p.cutoff FROM refunds r \
             LEFT JOIN booked_refunds b ON b.refund = r.id AND b.program = ? LEFT JOIN periods p ON p.program = b.program AND p.period = b.period \
             LEFT JOIN fills f ON f.kind = 'refunds' AND f.id = r.id AND f.field = 'item' WHERE r.invoice {} AND r.seq <= ? \
             ORDER BY r.invoice, CASE WHEN b.ordinal IS NULL THEN 1 ELSE 0 END, b.ordinal, r.refunded_at, r.id",
            in_list(tx.get_database_backend())
        );
        let mut book = Self::default();
        for row in rows(tx, &query, vec![(&*knowledge.program).into(), json_list(invoices), knowledge.cutoff.into()]).await? {
            let id = row.string(1)?;
            let kind = row.string(5)?;
            let kind = RefundKind::named(&kind).ok_or(LoadError::Corrupt { value: kind, what: "a kind of refund" })?;
            let filled_at = row.int_or_null(9)?.unwrap_or(0);
            let known_at = row.int_or_null(10)?.map_or(knowledge.cutoff, |cutoff| cutoff.min(knowledge.cutoff));
            let item = row.string_or_null(2)?.filter(|_| filled_at <= known_at);
            let refund = Refund { id, item, amount_minor: row.int(3)?, kind, of: row.string_or_null(6)?, cost_returned: row.int(7)? != 0 };
            let known = KnownRefund { refund, refunded_at: row.instant(4)?, ordinal: row.int_or_null(8)? };
            book.0.entry(row.text(0)?).or_default().push(known);
        }
        Ok(book)
    }

    /// The refunds of an invoice.
    #[must_use]
    pub fn of(&self, invoice: &str) -> &[KnownRefund] {
        self.0.get(invoice).map_or(&[], Vec::as_slice)
    }
}
