//! Stores and reads commission lines and what is booked beside them.

use program::calendar::Period;
use program::component::Component;
use program::line::{Line, Source, Text};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::bulk_insert::{ByDefault, RowWriter, insert_rows};
use super::grants::Use;
use super::rate::BookedRefund;
use super::workset::Workset;
use crate::load::Knowledge;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{Fields, LoadError, Row, each_row, packed, rows};

const LINE_COLUMNS: [&str; 25] = [
    "payee",
    "currency",
    "source",
    "source_id",
    "invoice",
    "item",
    "from_partner",
    "role",
    "component",
    "rule",
    "level",
    "part",
    "earned_on",
    "tier",
    "base_minor",
    "rate",
    "rate_source",
    "share",
    "uncut_minor",
    "amount_minor",
    "referred_minor",
    "fund",
    "late_from",
    "corrects",
    "version",
];

/// What the schema puts into these columns.
const LINE_DEFAULTS: [(&str, ByDefault); 8] = [
    ("item", ByDefault::Empty),
    ("role", ByDefault::Empty),
    ("rule", ByDefault::Empty),
    ("part", ByDefault::Zero),
    ("uncut_minor", ByDefault::NoNumber),
    ("fund", ByDefault::NoText),
    ("late_from", ByDefault::NoText),
    ("corrects", ByDefault::NoText),
];

fn optional(text: Option<&Text>) -> Value {
    text.map(ToString::to_string).into()
}

fn or_empty(text: Option<&Text>) -> Value {
    text.map(ToString::to_string).unwrap_or_default().into()
}

fn line_values(line: &Line) -> [Value; LINE_COLUMNS.len()] {
    [
        (&*line.payee).into(),
        line.currency.code().into(),
        line.source.name().into(),
        (&*line.source_id).into(),
        or_empty(line.invoice.as_ref()),
        or_empty(line.item.as_ref()),
        (&*line.from_partner).into(),
        or_empty(line.role.as_ref()),
        line.component.name().into(),
        or_empty(line.rule.as_ref()),
        i64::from(line.level).into(),
        i64::from(line.part).into(),
        line.earned_on.to_string().into(),
        optional(line.tier.as_ref()),
        line.base_minor.into(),
        line.rate.map(|rate| rate.to_string()).into(),
        optional(line.rate_source.as_ref()),
        line.share.to_string().into(),
        line.uncut_minor.into(),
        line.amount_minor.into(),
        line.referred_minor.into(),
        line.fund().map(str::to_owned).into(),
        line.late_from.map(|period| period.to_string()).into(),
        optional(line.corrects.as_ref()),
        line.version.into(),
    ]
}

/// Stores lines under a period.
pub struct LineWriter<'a>(RowWriter<'a>);

impl<'a> LineWriter<'a> {
    /// Into a period of a programme.
    #[must_use]
    pub fn new(tx: &'a DatabaseTransaction, program: &str, period: Period) -> Self {
        let rows = RowWriter::new(tx, "commission_lines", &LINE_COLUMNS, &LINE_DEFAULTS);
        Self(rows.with("program", program).with("period", period.to_string()))
    }

    /// Takes the lines of one earner.
    ///
    /// # Errors
    /// The database failed; a line that stands already is refused by its key.
    pub async fn push(&mut self, lines: &[Line]) -> Result<(), LoadError> {
        for line in lines {
            self.0.push(line_values(line)).await?;
        }
        Ok(())
    }

    /// Waits for what was taken.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finish(self) -> Result<(), LoadError> {
        self.0.finish().await
    }
}

/// Stores what a period books beside its lines: invoices, their credits, refunds, and what spiffs use of deals.
///
/// # Errors
/// The database failed.
pub async fn store_bookings(
    tx: &DatabaseTransaction,
    knowledge: &Knowledge,
    work: &Workset,
    refunds: &[BookedRefund],
    uses: &[Use],
) -> Result<(), LoadError> {
    let program = &*knowledge.program;
    let period = work.period.to_string();
    let sourced: Text = program::programme::SOURCED.into();
    let booked = || work.jobs.iter().filter(|job| job.credits.is_some());
    let mut invoices = RowWriter::new(tx, "bookings", &["invoice"], &[]).with("program", program).with("period", period.as_str());
    for job in booked() {
        let id = &work.sets[job.set].invoices[job.place].id;
        invoices.push([(&**id).into()]).await?;
    }
    invoices.finish().await?;
    let mut credits = RowWriter::new(tx, "booked_credits", &["invoice", "item", "program", "partner", "role", "share", "credit"], &[])
        .with("booked_by", program)
        .with("period", period.as_str());
    for job in booked() {
        let set = &work.sets[job.set];
        let invoice = &set.invoices[job.place];
        if set.is_fixed(&invoice.id) {
            continue;
        }
        // The first programme that books an invoice fixes its credits in all of them.
        for item in &invoice.items {
            for credit in set.resolve(knowledge, job.place, item, &sourced) {
                let row = [
                    (&*invoice.id).into(),
                    item.key().into(),
                    (&*credit.program).into(),
                    (&**knowledge.directory.id(credit.partner)).into(),
                    (&*credit.role).into(),
                    credit.share.to_string().into(),
                    or_empty(credit.id.as_ref()),
                ];
                credits.push(row).await?;
            }
        }
    }
    credits.finish().await?;
    let refunds =
        refunds.iter().map(|r| vec![program.into(), (&*r.refund).into(), (&*r.invoice).into(), period.as_str().into(), r.ordinal.into()]).collect();
    insert_rows(tx, "booked_refunds", &["program", "refund", "invoice", "period", "ordinal"], refunds).await?;
    let uses = uses
        .iter()
        .map(|u| {
            let ids = [program, &u.rule, &u.deal, &u.invoice, &u.item];
            ids.into_iter().map(Value::from).chain([u.base_minor.into(), period.as_str().into()]).collect()
        })
        .collect();
    insert_rows(tx, "spiff_uses", &["program", "rule", "deal", "invoice", "item", "base_minor", "period"], uses).await
}

/// The columns that [`line_of`] reads, in order.
const READ_COLUMNS: [&str; 24] = [
    "payee",
    "currency",
    "source",
    "source_id",
    "invoice",
    "item",
    "from_partner",
    "role",
    "component",
    "rule",
    "level",
    "part",
    "earned_on",
    "tier",
    "base_minor",
    "rate",
    "rate_source",
    "share",
    "uncut_minor",
    "amount_minor",
    "referred_minor",
    "late_from",
    "corrects",
    "version",
];

/// The one column to select for [`line_of`].
#[must_use]
pub fn line_columns(tx: &DatabaseTransaction) -> String {
    packed(ConnectionTrait::get_database_backend(tx), &READ_COLUMNS)
}

/// Reads a line selected by [`line_columns`].
///
/// # Errors
/// A column holds what can't be read.
pub fn line_of(row: &Row) -> Result<Line, LoadError> {
    let text = row.string(0)?;
    let mut fields = Fields::of(&text);
    let corrupt = |value: &str, what: &'static str| LoadError::Corrupt { value: value.to_owned(), what };
    Ok(Line {
        payee: fields.text()?.into(),
        currency: fields.parse("a currency")?,
        source: {
            let name = fields.text()?;
            Source::named(name).ok_or_else(|| corrupt(name, "a source of lines"))?
        },
        source_id: fields.text()?.into(),
        invoice: fields.optional()?,
        item: fields.optional()?,
        from_partner: fields.text()?.into(),
        role: fields.optional()?,
        component: {
            let name = fields.text()?;
            Component::named(name).ok_or_else(|| corrupt(name, "a component"))?
        },
        rule: fields.optional()?,
        level: fields.parse("a level")?,
        part: fields.parse("a part")?,
        earned_on: fields.date()?,
        tier: fields.optional()?,
        base_minor: fields.parse("an amount")?,
        rate: fields.parse_optional("a rate")?,
        rate_source: fields.optional()?,
        share: fields.parse("a share")?,
        uncut_minor: fields.parse_optional("an amount")?,
        amount_minor: fields.parse("an amount")?,
        referred_minor: fields.parse("an amount")?,
        late_from: fields.parse_optional("a period")?,
        corrects: fields.optional()?,
        version: fields.parse("a version")?,
    })
}

/// The lines that invoices themselves produced (not their reversals), posted in this programme.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn posted_for_invoices(tx: &DatabaseTransaction, program: &str, invoices: &[Text]) -> Result<Vec<Line>, LoadError> {
    let query = format!(
        "SELECT {} FROM commission_lines WHERE source_id {} AND program = ? AND source = 'invoice' ORDER BY invoice, item, from_partner, level, component, rule, payee",
        line_columns(tx),
        in_list(ConnectionTrait::get_database_backend(tx))
    );
    let mut lines = Vec::new();
    for ids in invoices.chunks(5_000) {
        for row in rows(tx, &query, vec![json_list(ids), program.into()]).await? {
            lines.push(line_of(&row)?);
        }
    }
    Ok(lines)
}

/// The order of lines by settlement and within it (interface.md §3): absent is '' and comes first, text by code point.
const SETTLEMENT_ORDER: &str = "payee, currency, earned_on, invoice, source, source_id, item, level, component, rule, from_partner, role, part";

/// Hands on the lines of some payees in a period, settlement by settlement in order, as they come.
///
/// # Errors
/// The database failed or holds what can't be read, or `each` failed.
pub async fn each_of_payees<E: From<LoadError> + Send>(
    tx: &DatabaseTransaction,
    (program, period): (&str, &str),
    payees: &[Text],
    mut each: impl FnMut(Line) -> Result<(), E> + Send,
) -> Result<(), E> {
    let query = format!(
        "SELECT {} FROM commission_lines WHERE program = ? AND period = ? AND payee {} ORDER BY {SETTLEMENT_ORDER}",
        line_columns(tx),
        in_list(ConnectionTrait::get_database_backend(tx))
    );
    each_row(tx, &query, vec![program.into(), period.into(), json_list(payees)], |row| each(line_of(&row)?)).await
}

/// The co-op lines of one settlement.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn coop_of(tx: &DatabaseTransaction, program: &str, period: &str, payee: &str, currency: &str) -> Result<Vec<Line>, LoadError> {
    let query = format!(
        "SELECT {} FROM commission_lines WHERE payee = ? AND program = ? AND currency = ? AND fund IS NOT NULL AND period = ? ORDER BY {SETTLEMENT_ORDER}",
        line_columns(tx)
    );
    let found = rows(tx, &query, vec![payee.into(), program.into(), currency.into(), period.into()]).await?;
    found.iter().map(line_of).collect()
}
