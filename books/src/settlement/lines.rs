//! Stores and reads commission lines and what is booked beside them.

use program::component::Component;
use program::line::{Line, Source, Text};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::grants::Use;
use super::rate::BookedRefund;
use super::workset::Workset;
use crate::load::Knowledge;
use crate::load::invoices::{in_list, json_list};
use crate::load::row::{LoadError, Row, each_row, execute, rows};
use crate::sql;

/// Values of one statement stay well under SQLite's limit of 32 766.
const VALUES_AT_ONCE: usize = 16_000;

/// Inserts rows, many a statement.
///
/// # Errors
/// The database failed.
pub async fn insert_rows(tx: &DatabaseTransaction, table: &str, columns: &[&str], all: Vec<Vec<Value>>) -> Result<(), LoadError> {
    let at_once = (VALUES_AT_ONCE / columns.len()).max(1);
    let head = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
    let mut all = all.into_iter().peekable();
    while all.peek().is_some() {
        let mut values = Vec::with_capacity(at_once * columns.len());
        let mut count = 0;
        for row in all.by_ref().take(at_once) {
            values.extend(row);
            count += 1;
        }
        execute(tx, &format!("{head}{}", sql::places(count, columns.len())), values).await?;
    }
    Ok(())
}

const LINE_COLUMNS: [&str; 27] = [
    "program",
    "period",
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

fn optional(text: Option<&Text>) -> Value {
    text.map(|text| text.to_string()).into()
}

fn or_empty(text: Option<&Text>) -> Value {
    text.map_or_else(String::new, |text| text.to_string()).into()
}

fn line_values(program: &str, period: &str, line: &Line) -> Vec<Value> {
    vec![
        program.into(),
        period.into(),
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
///
/// # Errors
/// The database failed; a line that stands already is refused by its key.
pub async fn store(tx: &DatabaseTransaction, program: &str, period: &str, lines: &[Line]) -> Result<(), LoadError> {
    let values = lines.iter().map(|line| line_values(program, period, line)).collect();
    insert_rows(tx, "commission_lines", &LINE_COLUMNS, values).await
}

/// Stores what a period books beside its lines: invoices, their credits, refunds, and what spiffs use of deals.
///
/// # Errors
/// The database failed.
pub async fn store_bookings(tx: &DatabaseTransaction, knowledge: &Knowledge, work: &Workset, refunds: &[BookedRefund], uses: &[Use]) -> Result<(), LoadError> {
    let program = &*knowledge.program;
    let period = work.period.to_string();
    let sourced: Text = program::programme::SOURCED.into();
    let (mut invoices, mut credits) = (Vec::new(), Vec::new());
    for job in &work.jobs {
        if job.credits.is_none() {
            continue;
        }
        let set = &work.sets[job.set];
        let invoice = &set.invoices[job.place];
        invoices.push(vec![program.into(), (&*invoice.id).into(), period.as_str().into()]);
        if set.is_fixed(&invoice.id) {
            continue;
        }
        // The first programme that books an invoice fixes its credits in all of them.
        for item in &invoice.items {
            for credit in set.resolve(knowledge, job.place, item, &sourced) {
                credits.push(vec![
                    (&*invoice.id).into(),
                    item.key().into(),
                    (&*credit.program).into(),
                    (&**knowledge.directory.id(credit.partner)).into(),
                    (&*credit.role).into(),
                    credit.share.to_string().into(),
                    or_empty(credit.id.as_ref()),
                    program.into(),
                    period.as_str().into(),
                ]);
            }
        }
    }
    insert_rows(tx, "bookings", &["program", "invoice", "period"], invoices).await?;
    insert_rows(tx, "booked_credits", &["invoice", "item", "program", "partner", "role", "share", "credit", "booked_by", "period"], credits).await?;
    let refunds = refunds
        .iter()
        .map(|r| vec![program.into(), (&*r.refund).into(), (&*r.invoice).into(), period.as_str().into(), r.ordinal.into()])
        .collect();
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
pub const READ_COLUMNS: &str = "payee, currency, source, source_id, invoice, item, from_partner, role, component, rule, level, part, earned_on, tier, \
     base_minor, rate, rate_source, share, uncut_minor, amount_minor, referred_minor, late_from, corrects, version";

/// Reads a line.
///
/// # Errors
/// A column holds what can't be read.
pub fn line_of(row: &Row) -> Result<Line, LoadError> {
    let (source, component) = (row.string(2)?, row.string(8)?);
    let number = |column: usize| -> Result<u32, LoadError> {
        let number = row.int(column)?;
        u32::try_from(number).map_err(|_| LoadError::Corrupt { value: number.to_string(), what: "a level or part" })
    };
    Ok(Line {
        payee: row.text(0)?,
        currency: row.currency(1)?,
        source: Source::named(&source).ok_or(LoadError::Corrupt { value: source, what: "a source of lines" })?,
        source_id: row.text(3)?,
        invoice: row.text_or_empty(4)?,
        item: row.text_or_empty(5)?,
        from_partner: row.text(6)?,
        role: row.text_or_empty(7)?,
        component: Component::named(&component).ok_or(LoadError::Corrupt { value: component, what: "a component" })?,
        rule: row.text_or_empty(9)?,
        level: number(10)?,
        part: number(11)?,
        earned_on: row.date(12)?,
        tier: row.text_or_null(13)?,
        base_minor: row.int(14)?,
        rate: row.rate_or_null(15)?,
        rate_source: row.text_or_null(16)?,
        share: row.rate(17)?,
        uncut_minor: row.int_or_null(18)?,
        amount_minor: row.int(19)?,
        referred_minor: row.int(20)?,
        late_from: row.period_or_null(21)?,
        corrects: row.text_or_null(22)?,
        version: row.int(23)?,
    })
}

/// The lines that invoices themselves produced (not their reversals), posted in this programme.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn posted_for_invoices(tx: &DatabaseTransaction, program: &str, invoices: &[Text]) -> Result<Vec<Line>, LoadError> {
    let query = format!(
        "SELECT {READ_COLUMNS} FROM commission_lines WHERE invoice {} AND program = ? AND source = 'invoice' ORDER BY invoice, item, from_partner, level, component, rule, payee",
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
        "SELECT {READ_COLUMNS} FROM commission_lines WHERE program = ? AND period = ? AND payee {} ORDER BY {SETTLEMENT_ORDER}",
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
        "SELECT {READ_COLUMNS} FROM commission_lines WHERE payee = ? AND program = ? AND currency = ? AND fund IS NOT NULL AND period = ? ORDER BY {SETTLEMENT_ORDER}"
    );
    let found = rows(tx, &query, vec![payee.into(), program.into(), currency.into(), period.into()]).await?;
    found.iter().map(line_of).collect()
}
