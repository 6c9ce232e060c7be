//! Co-op wallets: accruals are lots, reversals take from them, what ends expires (domain.md §6.2, §4.4).
//!
//! A lot is the co-op line that accrued it; what is left of it is its amount less its draws.

mod claims;
pub mod history;
pub(crate) mod holds;

pub(crate) use claims::give_back;

use std::collections::BTreeMap;

use program::calendar::{Date, Instant, Period, months_after, months_before};
use program::line::{Line, Source, Text};
use program::money::Currency;
use program::version::Versions;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::ledger::{self, Posting, Transaction};
use crate::load::Knowledge;
use crate::load::row::{LoadError, execute, first_row, rows};
use crate::load::versions;
use crate::settlement::error::SettleError;
use crate::settlement::freeze;
use crate::settlement::lines::coop_of;
use crate::sql::sum_fits;

/// A lot: invoice, item and role name it within its wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// When it began.
    pub earned_on: Date,
    /// Its invoice.
    pub invoice: Text,
    /// Its item, "" for the unnamed one.
    pub item: Text,
    /// Its role.
    pub role: Text,
    /// What accrued, minor units.
    pub amount_minor: i64,
    /// What is left, minor units.
    pub remaining_minor: i64,
}

/// Which wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletKey {
    /// The programme.
    pub program: Text,
    /// The member.
    pub partner: Text,
    /// The currency.
    pub currency: Currency,
}

/// The lots of a wallet as posted, oldest first.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn lots(tx: &DatabaseTransaction, key: &WalletKey) -> Result<Vec<Lot>, LoadError> {
    let query = "SELECT l.earned_on, l.invoice, l.item, l.role, l.amount_minor, \
                 CAST(COALESCE((SELECT SUM(d.amount_minor) FROM lot_draws d WHERE d.program = l.program AND d.partner = l.payee AND d.currency = l.currency \
                   AND d.invoice = l.invoice AND d.item = l.item AND d.role = l.role), 0) AS BIGINT) \
                 FROM commission_lines l JOIN settlements s ON s.program = l.program AND s.partner = l.payee AND s.currency = l.currency AND s.period = l.period \
                 WHERE l.payee = ? AND l.program = ? AND l.currency = ? AND l.fund IS NOT NULL AND l.source = 'invoice' AND l.amount_minor > 0 \
                 ORDER BY l.earned_on, l.invoice, l.item, l.role";
    let values = vec![(&*key.partner).into(), (&*key.program).into(), key.currency.code().into()];
    let mut lots = Vec::new();
    for row in rows(tx, query, values).await? {
        let amount_minor = row.int(4)?;
        lots.push(Lot {
            earned_on: row.date(0)?,
            invoice: row.text(1)?,
            item: row.text(2)?,
            role: row.text(3)?,
            amount_minor,
            remaining_minor: amount_minor - row.int(5)?,
        });
    }
    Ok(lots)
}

struct Draw<'a> {
    kind: &'a str,
    amount_minor: i64,
    dated_on: Date,
    reference: String,
}

async fn draw(tx: &DatabaseTransaction, key: &WalletKey, lot: &mut Lot, draw: Draw<'_>) -> Result<(), LoadError> {
    let insert = "INSERT INTO lot_draws (program, partner, fund, currency, invoice, item, role, kind, amount_minor, dated_on, reference) \
                  VALUES (?, ?, 'coop', ?, ?, ?, ?, ?, ?, ?, ?)";
    lot.remaining_minor -= draw.amount_minor;
    let values = vec![
        (&*key.program).into(),
        (&*key.partner).into(),
        key.currency.code().into(),
        (&*lot.invoice).into(),
        (&*lot.item).into(),
        (&*lot.role).into(),
        draw.kind.into(),
        draw.amount_minor.into(),
        draw.dated_on.to_string().into(),
        draw.reference.into(),
    ];
    execute(tx, insert, values).await?;
    Ok(())
}

/// What a settlement does to a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The wallet.
    pub key: WalletKey,
    /// The sum of its co-op lines, minor units.
    pub credit_minor: i64,
    /// Whether all of them are accruals.
    pub only_accruals: bool,
}

/// Moves wallets by the co-op lines of settlements that have just been made final.
///
/// A reversal takes what is left of its own lot, then the oldest; what no lot can bear leaves the wallet negative, and a new accrual first
/// fills that. Accruals alone, into a wallet that is not negative, need no draws.
///
/// # Errors
/// The database failed, or a sum does not fit.
pub async fn accrue(tx: &DatabaseTransaction, movements: &[Movement], period: Period) -> Result<(), SettleError> {
    let upsert = format!(
        "ON CONFLICT (program, partner, fund, currency) DO UPDATE SET balance_minor = wallets.balance_minor + excluded.balance_minor, \
         revision = wallets.revision + 1 WHERE {} RETURNING program, partner, currency, balance_minor, held_minor",
        sum_fits("wallets.balance_minor", "excluded.balance_minor")
    );
    for chunk in movements.chunks(1_000) {
        let places = crate::sql::places(chunk.len(), 5);
        let text = format!("INSERT INTO wallets (program, partner, fund, currency, balance_minor) VALUES {places} {upsert}");
        let mut values = Vec::with_capacity(chunk.len() * 5);
        for Movement { key, credit_minor, .. } in chunk {
            values.extend([(&*key.program).into(), (&*key.partner).into(), "coop".into(), key.currency.code().into(), (*credit_minor).into()]);
        }
        let mut after: BTreeMap<(Text, Currency), (i64, i64)> = BTreeMap::new();
        for row in rows(tx, &text, values).await? {
            after.insert((row.text(1)?, row.currency(2)?), (row.int(3)?, row.int(4)?));
        }
        for Movement { key, credit_minor, only_accruals } in chunk {
            // A wallet that has no room for it is left as it was.
            let too_large = || LoadError::BalanceTooLarge { what: format!("the co-op wallet of {}", key.partner), currency: key.currency };
            let (after_minor, held_minor) = after.get(&(key.partner.clone(), key.currency)).copied().ok_or_else(too_large)?;
            let before_minor = after_minor.checked_sub(*credit_minor).ok_or_else(too_large)?;
            // What claims hold can't fill what is missing: the wallet may be short while its balance is not.
            if !only_accruals || before_minor < held_minor {
                let lines = coop_of(tx, &key.program, &period.to_string(), &key.partner, key.currency.code()).await?;
                move_lots(tx, key, &lines.iter().collect::<Vec<_>>(), period).await?;
            }
        }
    }
    Ok(())
}

/// Matches what takes with what is there: new lots fill what is missing first, reversals take from their own lot, then the oldest.
async fn move_lots(tx: &DatabaseTransaction, key: &WalletKey, lines: &[&Line], period: Period) -> Result<(), LoadError> {
    let mut lots = lots(tx, key).await?;
    let name = |line: &Line| {
        (
            line.invoice.clone().unwrap_or_else(|| "".into()),
            line.item.clone().unwrap_or_else(|| "".into()),
            line.role.clone().unwrap_or_else(|| "".into()),
        )
    };
    let new: std::collections::HashSet<_> = lines.iter().filter(|line| line.source == Source::Invoice).map(|line| name(line)).collect();
    let is_new = |lot: &Lot| new.contains(&(lot.invoice.clone(), lot.item.clone(), lot.role.clone()));
    let mut debt_minor = debt(tx, key, &lots, lines).await?;
    for lot in lots.iter_mut().filter(|lot| is_new(lot)) {
        let fills = debt_minor.min(lot.remaining_minor);
        if fills > 0 {
            debt_minor -= fills;
            draw(tx, key, lot, Draw { kind: "debt", amount_minor: fills, dated_on: period.last_day(), reference: format!("{period}") }).await?;
        }
    }
    // What takes comes before what gives back: a chargeback and its win may fall in one settlement, where their ids say nothing of their order.
    let (takes, gives): (Vec<&Line>, Vec<&Line>) =
        lines.iter().copied().filter(|line| line.source == Source::Refund).partition(|line| line.amount_minor < 0);
    for line in takes.into_iter().chain(gives) {
        let own = name(line);
        let reference = line.source_id.to_string();
        let of_own = |lot: &Lot| (lot.invoice.clone(), lot.item.clone(), lot.role.clone()) == own;
        if line.amount_minor > 0 {
            let fills = debt_minor.min(line.amount_minor);
            debt_minor -= fills;
            let mut back = line.amount_minor - fills;
            let mut taken = taken(tx, key, &reference).await?;
            // Where no draw tells whence it came, it goes to its own lot.
            taken.push((own, i64::MAX));
            for (of, most) in taken {
                let Some(lot) = lots.iter_mut().find(|lot| (&lot.invoice, &lot.item, &lot.role) == (&of.0, &of.1, &of.2)) else { continue };
                let part = back.min(most).min(lot.amount_minor - lot.remaining_minor);
                if part > 0 {
                    back -= part;
                    draw(tx, key, lot, Draw { kind: "restored", amount_minor: -part, dated_on: period.last_day(), reference: reference.clone() })
                        .await?;
                }
            }
            continue;
        }
        let mut takes = -line.amount_minor;
        let own_first = lots.iter().position(of_own);
        let order = own_first.into_iter().chain((0..lots.len()).filter(|place| Some(*place) != own_first));
        for place in order.collect::<Vec<_>>() {
            let lot = &mut lots[place];
            let part = takes.min(lot.remaining_minor);
            if part > 0 {
                takes -= part;
                draw(tx, key, lot, Draw { kind: "reversal", amount_minor: part, dated_on: period.last_day(), reference: reference.clone() }).await?;
            }
        }
        debt_minor += takes;
    }
    Ok(())
}

/// The lots that a chargeback took from, the last first, and how much a win of it has not put back; then those that filled what was missing.
async fn taken(tx: &DatabaseTransaction, key: &WalletKey, won: &str) -> Result<Vec<((Text, Text, Text), i64)>, LoadError> {
    let of_key = || vec![(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()];
    let reversed = "SELECT d.invoice, d.item, d.role, CAST(SUM(d.amount_minor) AS BIGINT), MAX(d.no) FROM lot_draws d JOIN refunds r ON r.id = ? \
                    WHERE d.program = ? AND d.partner = ? AND d.currency = ? \
                      AND ((d.kind = 'reversal' AND d.reference = r.of_refund) OR (d.kind = 'restored' AND d.reference = r.id)) \
                    GROUP BY d.invoice, d.item, d.role HAVING SUM(d.amount_minor) > 0 ORDER BY 5 DESC";
    let filled = "SELECT invoice, item, role, CAST(SUM(amount_minor) AS BIGINT), MAX(no) FROM lot_draws \
                  WHERE program = ? AND partner = ? AND currency = ? AND kind = 'debt' GROUP BY invoice, item, role ORDER BY 5 DESC";
    let mut taken = Vec::new();
    for row in rows(tx, reversed, [vec![won.into()], of_key()].concat()).await?.iter().chain(&rows(tx, filled, of_key()).await?) {
        taken.push(((row.text(0)?, row.text(1)?, row.text(2)?), row.int(3)?));
    }
    Ok(taken)
}

/// What a wallet is short of is filled by what has come back into its lots, the oldest first, as by a new accrual.
///
/// # Errors
/// The database failed.
pub(crate) async fn fill_debt(tx: &DatabaseTransaction, key: &WalletKey, day: Date, reference: &str) -> Result<(), LoadError> {
    let mut lots = lots(tx, key).await?;
    let mut debt_minor = debt(tx, key, &lots, &[]).await?;
    for lot in lots.iter_mut().filter(|lot| lot.remaining_minor > 0) {
        let amount_minor = debt_minor.min(lot.remaining_minor);
        if amount_minor > 0 {
            debt_minor -= amount_minor;
            draw(tx, key, lot, Draw { kind: "debt", amount_minor, dated_on: day, reference: reference.to_owned() }).await?;
        }
    }
    Ok(())
}

/// What the wallet was short of before these lines: what is left of its lots less its balance.
async fn debt(tx: &DatabaseTransaction, key: &WalletKey, lots: &[Lot], lines: &[&Line]) -> Result<i64, LoadError> {
    let query = "SELECT balance_minor - held_minor FROM wallets WHERE program = ? AND partner = ? AND fund = 'coop' AND currency = ?";
    let values = vec![(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()];
    let available = match first_row(tx, query, values).await? {
        Some(row) => row.int(0)?,
        None => 0,
    };
    let left: i128 = lots.iter().map(|lot| i128::from(lot.remaining_minor)).sum();
    let reversed: i128 = lines.iter().filter(|line| line.source == Source::Refund).map(|line| i128::from(line.amount_minor)).sum();
    // The balance has moved by the lines already; the lots only by the new accruals.
    let debt = (left - (i128::from(available) - reversed)).max(0);
    i64::try_from(debt)
        .map_err(|_| LoadError::BalanceTooLarge { what: format!("the debt of the co-op wallet of {}", key.partner), currency: key.currency })
}

/// Posts the expiry of what is left and not held of lots that have ended by the period's last day.
///
/// # Errors
/// The database failed.
pub async fn expire(tx: &DatabaseTransaction, knowledge: &Knowledge, period: Period, now: Instant) -> Result<(), SettleError> {
    let ended = Ended { program: &knowledge.program, versions: &knowledge.versions, by: period.last_day(), in_period: period };
    expire_ended(tx, ended, now).await?;
    Ok(())
}

/// Posts, before their period is made final, the expiry of what is left and not held of lots that have ended by a day; how many wallets
/// it took from. A lot that a later accrual begins within what has ended expires when its period is made final.
///
/// # Idempotency
/// What has expired is not left: the same day again, or the period made final after it, posts nothing more for it.
///
/// # Errors
/// The programme is not recorded, or the database failed.
///
/// # Source
/// domain.md §6.2. `day` is over or has begun in the programme's zone; a later one is taken as the day of `now`.
pub async fn expire_until(tx: &DatabaseTransaction, program: &str, day: Date, now: Instant) -> Result<usize, LoadError> {
    // The period stays open until this has ended: it is not frozen meanwhile, and one that is closing is not made final.
    freeze::lock_recordings(tx).await?;
    let versions = versions::load(tx, program, i64::MAX).await?;
    let constant = versions.constant();
    let in_period = holds::first_not_final(tx, program, constant.settlement.first_period).await?;
    let by = day.min(now.date_in(constant.timezone));
    expire_ended(tx, Ended { program, versions: &versions, by, in_period }, now).await
}

/// Lots of a programme that have ended by a day, booked in a period or before it.
#[derive(Clone, Copy)]
struct Ended<'a> {
    program: &'a str,
    versions: &'a Versions,
    by: Date,
    in_period: Period,
}

async fn expire_ended(tx: &DatabaseTransaction, ended: Ended<'_>, now: Instant) -> Result<usize, LoadError> {
    let Some(shortest) = ended.versions.iter().filter_map(|version| version.programme.coop.expires_after_months).min() else { return Ok(0) };
    // A lot begun after this day ends after the period in every version; a month's last days may all end on a shorter month's last.
    let begun_by = Period::of(months_before(ended.by, shortest)).last_day();
    let query = "SELECT partner, currency FROM wallets w WHERE program = ? AND fund = 'coop' AND balance_minor - held_minor > 0 AND EXISTS \
                 (SELECT 1 FROM commission_lines l WHERE l.payee = w.partner AND l.program = w.program AND l.currency = w.currency AND l.earned_on <= ? \
                  AND l.fund IS NOT NULL) ORDER BY partner, currency";
    let wallets = rows(tx, query, vec![ended.program.into(), begun_by.to_string().into()]).await?;
    let mut transactions = Vec::new();
    let mut touched = 0;
    for row in wallets {
        let key = WalletKey { program: ended.program.into(), partner: row.text(0)?, currency: row.currency(1)? };
        let expired = expire_wallet(tx, ended, &key).await?;
        touched += usize::from(!expired.is_empty());
        transactions.extend(expired);
    }
    ledger::post(tx, &transactions, now).await?;
    Ok(touched)
}

async fn expire_wallet(tx: &DatabaseTransaction, ended: Ended<'_>, key: &WalletKey) -> Result<Vec<Transaction>, LoadError> {
    let of_key = || vec![(&*key.program).into(), (&*key.partner).into(), key.currency.code().into()];
    // Whoever holds or releases waits, so that what is left is decided once; SQLite has one writer.
    if ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres {
        let lock = "SELECT revision FROM wallets WHERE program = ? AND partner = ? AND fund = 'coop' AND currency = ? FOR UPDATE";
        first_row(tx, lock, of_key()).await?;
    }
    let mut expired: BTreeMap<Date, i64> = BTreeMap::new();
    for mut lot in lots(tx, key).await?.into_iter().filter(|lot| lot.remaining_minor > 0) {
        let Some(ends_on) = lot_ends_on(ended.versions, lot.earned_on).filter(|ends_on| *ends_on <= ended.by) else { continue };
        // What ended in a period that was final before its accrual was booked expires on this period's first day.
        let dated_on = ends_on.max(ended.in_period.first_day());
        let amount_minor = lot.remaining_minor;
        *expired.entry(dated_on).or_insert(0) += amount_minor;
        draw(tx, key, &mut lot, Draw { kind: "expiry", amount_minor, dated_on, reference: ended.in_period.to_string() }).await?;
    }
    let total: i64 = expired.values().sum();
    if total > 0 {
        let update = "UPDATE wallets SET balance_minor = balance_minor - ?, revision = revision + 1 WHERE program = ? AND partner = ? AND fund = 'coop' AND currency = ?";
        execute(tx, update, [vec![total.into()], of_key()].concat()).await?;
    }
    let WalletKey { program, partner, currency } = key;
    let mut transactions = Vec::new();
    for (dated_on, amount_minor) in expired {
        transactions.push(Transaction {
            id: free_id(tx, format!("expiry/{program}/{partner}/{currency}/{dated_on}")).await?,
            program: program.clone(),
            kind: "expiry",
            dated_on,
            description: format!("co-op funds of {partner} in {program} expired"),
            postings: vec![
                Posting { account: format!("partner:{partner}:{program}:coop"), currency: *currency, amount_minor },
                Posting { account: format!("expense:{program}:coop"), currency: *currency, amount_minor: -amount_minor },
            ],
        });
    }
    Ok(transactions)
}

/// The id, or with a number behind it where a lot that ended on the same day has expired before.
async fn free_id(tx: &DatabaseTransaction, id: String) -> Result<String, LoadError> {
    let mut free = id.clone();
    let mut number = 1;
    while first_row(tx, "SELECT 1 FROM transactions WHERE id = ?", vec![free.as_str().into()]).await?.is_some() {
        number += 1;
        free = format!("{id}/{number}");
    }
    Ok(free)
}

/// The day on which a lot begun on a day ends; `None`: never (domain.md §6.2).
#[must_use]
pub fn ends_on(knowledge: &Knowledge, earned_on: Date) -> Option<Date> {
    lot_ends_on(&knowledge.versions, earned_on)
}

/// As [`ends_on`], by the versions alone.
#[must_use]
pub fn lot_ends_on(versions: &Versions, earned_on: Date) -> Option<Date> {
    versions.on(earned_on).programme.coop.expires_after_months.map(|months| months_after(earned_on, months))
}
