//! Refunds that their invoice can bear (domain.md §4.2, §4.3).

use std::collections::{BTreeMap, HashMap};

use program::calendar::Instant;
use program::refund::{Refund, RefundError, RefundKind, spread};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Value};

use super::{Merged, text};
use crate::facts::{PAYMENT, ROOM};
use crate::record::error::{Findings, Lacking, RecordError};
use crate::record::stage::{AFFECTED, LOOKED_AT, Stage, line_number};
use crate::sql;

/// Invoices looked at together.
const INVOICES_AT_ONCE: usize = 500;
/// The invoices of the refunds that a recording voids, with the lines of the voids.
const VOIDED: &str = "voided_refunds";

/// Looks at the invoices whose refunds were recorded or filled.
pub(crate) async fn check(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    after_payment(merged, findings).await?;
    replay_all(merged, Change::Recorded, findings).await
}

/// Looks at the refunds that remain of the invoices of voided ones: what was voided may have made room for them, or have moved
/// what a refund without an item took from each.
pub(crate) async fn check_remaining(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    replay_all(merged, Change::Voided, findings).await
}

/// Notes for [`check_remaining`] that the staged void numbered `n` removes its refund, which is still there.
pub(crate) async fn note_voided(tx: &DatabaseTransaction, stage: &Stage, n: i64) -> Result<(), DbErr> {
    let note = format!(
        "INSERT INTO {VOIDED} (invoice, kind, line) SELECT r.invoice, r.kind, s.line FROM {} s JOIN refunds r ON r.id = s.id WHERE s.n = ?",
        stage.name
    );
    sql::execute(tx, &note, [n.into()]).await?;
    Ok(())
}

/// Makes the table of voided refunds; it goes with the connection, or with a transaction that is rolled back.
pub(crate) async fn create_voided(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let postgres = ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres;
    let (text, int) = if postgres { ("TEXT COLLATE \"C\"", "BIGINT") } else { ("TEXT", "INTEGER") };
    let table = format!("CREATE TEMPORARY TABLE {VOIDED} (invoice {text} NOT NULL, kind {text} NOT NULL, line {int} NOT NULL)");
    tx.execute_unprepared(&table).await?;
    tx.execute_unprepared(&format!("CREATE INDEX {VOIDED}_invoice ON {VOIDED} (invoice)")).await?;
    Ok(())
}

async fn replay_all(merged: &Merged<'_>, change: Change, findings: &mut Findings) -> Result<(), RecordError> {
    let changed = change.rows(merged);
    let page = format!("SELECT DISTINCT s.invoice {changed} AND s.invoice > ? ORDER BY s.invoice LIMIT {INVOICES_AT_ONCE}");
    let mut after = String::new();
    loop {
        let invoices = merged.rows(&page, [after.as_str().into()]).await?;
        let Some(last) = invoices.last() else { return Ok(()) };
        let last = text(last, 0)?;
        for (invoice, refunded) in load(merged, change, &after, &last).await? {
            refunded.replay(&invoice, findings);
        }
        after = last;
    }
}

/// What happened to the refunds that are looked at.
#[derive(Debug, Clone, Copy)]
enum Change {
    Recorded,
    Voided,
}

impl Change {
    /// `FROM … WHERE …` over rows `s` that have the invoices.
    fn rows(self, merged: &Merged<'_>) -> String {
        match self {
            Self::Recorded => format!("FROM {} s WHERE {AFFECTED}", merged.staged()),
            Self::Voided => format!("FROM {VOIDED} s WHERE 1 = 1"),
        }
    }

    /// The line that brought the refund `r`, and the table `x` that has it.
    fn line_of_refund(self, merged: &Merged<'_>) -> (&'static str, String) {
        match self {
            Self::Recorded => ("x.line", format!("LEFT JOIN {} x ON x.id = r.id AND x.bad = 0 ", merged.staged())),
            Self::Voided => ("NULL", String::new()),
        }
    }
}

async fn after_payment(merged: &Merged<'_>, findings: &mut Findings) -> Result<(), RecordError> {
    let joined = format!("FROM {} s JOIN invoices i ON i.id = s.invoice WHERE {LOOKED_AT}", merged.staged());
    let unpaid = format!("{joined} AND i.paid_at IS NULL");
    let before = findings.total();
    let any = merged
        .blame(findings, "invoice", ("s.line, s.invoice", &unpaid), |row| {
            Ok(format!("invoice {:?} is not paid; fill its paid_at first", text(row, 1)?))
        })
        .await?;
    if any && let Some(row) = merged.rows(&format!("SELECT s.invoice {unpaid} ORDER BY s.n LIMIT 1"), []).await?.first() {
        findings.for_want_of(before, Lacking { what: PAYMENT.into(), keys: vec![text(row, 0)?] });
    }
    merged
        .blame(findings, "refunded_at", ("s.line, s.refunded_at, i.paid_at", &format!("{joined} AND s.refunded_at < i.paid_at")), |row| {
            let (refunded, paid): (i64, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            Ok(format!("{} lies before the payment of the invoice, {}", Instant(refunded), Instant(paid)))
        })
        .await?;
    Ok(())
}

/// An invoice with its refunds in the order of their dates and ids.
#[derive(Debug, Default)]
struct Refunded {
    items: Vec<(String, i64)>,
    refunds: Vec<Refund>,
    lines: HashMap<String, u64>,
    /// The line of the void that changed what the others may take.
    voided: Option<u64>,
    /// By refund, the recording that filled its item.
    filled: HashMap<String, i64>,
    /// Per programme, the refunds booked, in the order in which they were.
    booked: BTreeMap<String, Vec<Booked>>,
    /// Whether a programme has a fixed credit of the invoice and has booked no refund of it.
    awaited: bool,
    /// Cut-offs of periods that are closing: what they book is still to come, as it was known then.
    closing: Vec<(String, i64)>,
}

/// A refund that a programme booked.
#[derive(Debug)]
struct Booked {
    refund: String,
    /// The cut-off of the period that booked it.
    cutoff: i64,
}

async fn load(merged: &Merged<'_>, change: Change, after: &str, last: &str) -> Result<BTreeMap<String, Refunded>, RecordError> {
    let rows = change.rows(merged);
    let changed = format!("IN (SELECT s.invoice {rows} AND s.invoice > ? AND s.invoice <= ?)");
    let bounds = || -> [Value; 2] { [after.into(), last.into()] };
    let mut all: BTreeMap<String, Refunded> = BTreeMap::new();
    for row in merged.rows(&format!("SELECT id, subtotal_minor FROM invoices WHERE id {changed}"), bounds()).await? {
        all.entry(text(&row, 0)?).or_default().items.push((String::new(), row.try_get_by_index(1)?));
    }
    for row in merged
        .rows(&format!("SELECT invoice, item, amount_minor FROM invoice_items WHERE invoice {changed} ORDER BY invoice, item"), bounds())
        .await?
    {
        let refunded = all.entry(text(&row, 0)?).or_default();
        if refunded.items.first().is_some_and(|(item, _)| item.is_empty()) {
            refunded.items.clear();
        }
        refunded.items.push((text(&row, 1)?, row.try_get_by_index(2)?));
    }
    let (line, joined) = change.line_of_refund(merged);
    let refunds = format!(
        "SELECT r.invoice, r.id, r.item, r.amount_minor, r.kind, r.of_refund, r.cost_returned, f.seq, {line} FROM refunds r \
         {joined}LEFT JOIN fills f ON f.kind = 'refunds' AND f.id = r.id AND f.field = 'item' \
         WHERE r.invoice {changed} ORDER BY r.invoice, r.refunded_at, r.id"
    );
    for row in merged.rows(&refunds, bounds()).await? {
        let (id, kind) = (text(&row, 1)?, text(&row, 4)?);
        let kind = RefundKind::named(&kind).ok_or_else(|| RecordError::Corrupt(format!("kind {kind:?} of a refund")))?;
        let refunded = all.entry(text(&row, 0)?).or_default();
        if let Change::Recorded = change
            && let Some(line) = row.try_get_by_index::<Option<i64>>(8)?
        {
            refunded.lines.insert(id.clone(), line_number(line));
        }
        if let Some(seq) = row.try_get_by_index(7)? {
            refunded.filled.insert(id.clone(), seq);
        }
        let cost_returned = row.try_get_by_index::<i64>(6)? == 1;
        let (item, amount_minor, of) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?, row.try_get_by_index(5)?);
        refunded.refunds.push(Refund { id, item, amount_minor, kind, of, cost_returned });
    }
    if let Change::Voided = change {
        // A chargeback won made room that the others may need; it is to blame before what took some itself.
        let won = RefundKind::ChargebackWon.name();
        let lines = format!(
            "SELECT s.invoice, COALESCE(MIN(CASE WHEN s.kind = '{won}' THEN s.line END), MIN(s.line)) FROM {VOIDED} s \
             WHERE s.invoice > ? AND s.invoice <= ? GROUP BY s.invoice"
        );
        for row in merged.rows(&lines, bounds()).await? {
            if let Some(refunded) = all.get_mut(&text(&row, 0)?) {
                refunded.voided = Some(line_number(row.try_get_by_index(1)?));
            }
        }
    }
    let booked = format!(
        "SELECT b.invoice, b.program, b.refund, p.cutoff FROM booked_refunds b JOIN periods p ON p.program = b.program AND p.period = b.period \
         WHERE b.invoice {changed} ORDER BY b.invoice, b.program, b.ordinal"
    );
    for row in merged.rows(&booked, bounds()).await? {
        let booked = Booked { refund: text(&row, 2)?, cutoff: row.try_get_by_index(3)? };
        all.entry(text(&row, 0)?).or_default().booked.entry(text(&row, 1)?).or_default().push(booked);
    }
    let awaited = format!(
        "SELECT DISTINCT c.invoice FROM booked_credits c WHERE c.invoice {changed} AND NOT EXISTS \
         (SELECT 1 FROM booked_refunds b WHERE b.program = c.program AND b.invoice = c.invoice)"
    );
    for row in merged.rows(&awaited, bounds()).await? {
        all.entry(text(&row, 0)?).or_default().awaited = true;
    }
    let mut closing = Vec::new();
    for row in merged.rows("SELECT program, cutoff FROM periods WHERE status = 'closing' ORDER BY program", []).await? {
        closing.push((text(&row, 0)?, row.try_get_by_index(1)?));
    }
    for refunded in all.values_mut() {
        refunded.closing.clone_from(&closing);
    }
    Ok(all)
}

impl Refunded {
    /// Takes all refunds again, in each programme's order: those booked first, and as they were booked.
    fn replay(&self, invoice: &str, findings: &mut Findings) {
        let items: Vec<(&str, i64)> = self.items.iter().map(|(item, amount)| (item.as_str(), *amount)).collect();
        for refunds in self.views() {
            if let Err(error) = spread(&items, &refunds) {
                self.blame(invoice, &error, findings);
                return;
            }
        }
    }

    /// The refunds as each programme takes them. One that has booked none takes them as they are recorded, which is looked at where
    /// nobody booked any, where a programme is still to book them, or where an item was filled too late for somebody.
    fn views(&self) -> Vec<Vec<Refund>> {
        let none = Vec::new();
        let mut views: Vec<Vec<Refund>> = self.booked.values().map(|booked| self.view(booked, i64::MAX)).collect();
        views.extend(self.closing.iter().map(|(program, cutoff)| self.view(self.booked.get(program).unwrap_or(&none), *cutoff)));
        let late = self.booked.values().flatten().any(|booked| self.filled.get(&booked.refund).is_some_and(|seq| *seq > booked.cutoff));
        if self.booked.is_empty() || self.awaited || late {
            views.push(self.refunds.clone());
        }
        views
    }

    /// The refunds, those booked first; an item counts where it was known at the cut-off of the period that booked the refund.
    fn view(&self, booked: &[Booked], others_known: i64) -> Vec<Refund> {
        let place = |refund: &Refund| booked.iter().position(|booked| booked.refund == refund.id);
        let mut refunds = self.refunds.clone();
        refunds.sort_by_key(|refund| place(refund).unwrap_or(usize::MAX));
        for refund in &mut refunds {
            let known = place(refund).map_or(others_known, |place| booked[place].cutoff);
            if self.filled.get(&refund.id).is_some_and(|seq| *seq > known) {
                refund.item = None;
            }
        }
        refunds
    }

    fn blame(&self, invoice: &str, error: &RefundError, findings: &mut Findings) {
        if let Some(line) = self.voided {
            let reason =
                format!("without what is voided invoice {invoice:?} can't bear its other refunds, taken in order of date: {error}; void that too");
            findings.add(line, "id", reason);
            return;
        }
        let (refund, column) = match error {
            RefundError::MoreThanLeft { refund, .. } | RefundError::MoreThanChargedBack { refund, .. } => (Some(refund), "amount"),
            RefundError::NoSuchItem { refund, .. } => (Some(refund), "item"),
            RefundError::NoSuchChargeback { refund, .. } => (Some(refund), "of"),
            RefundError::Overflow(_) => (None, "amount"),
        };
        // A new refund may take what a recorded, later one needs: then the new one is to blame.
        let line = refund.and_then(|refund| self.lines.get(refund)).or_else(|| self.lines.values().max()).copied().unwrap_or(1);
        let before = findings.total();
        findings.add(line, column, format!("invoice {invoice:?} can't bear its refunds, taken in order of date: {error}"));
        // A chargeback won, which gives back what others may take, or the chargeback itself may be still to come.
        if matches!(error, RefundError::MoreThanLeft { .. } | RefundError::MoreThanChargedBack { .. }) {
            findings.for_want_of(before, Lacking { what: ROOM.into(), keys: vec![invoice.to_owned()] });
        }
    }
}
