//! What was known at a cut-off: facts recorded up to it, without the columns that were filled after it (domain.md §4.7).

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use program::fx::Fx;
use program::line::Text;
use program::member::{Directory, Freeze, Frozen};
use program::version::Versions;
use sea_orm::DatabaseTransaction;

use super::row::{LoadError, rows};
use super::{directory, versions};

/// Columns filled after a cut-off: by import kind, then by id.
#[derive(Debug, Default)]
pub struct FilledLater(HashMap<String, HashMap<String, HashSet<String>>>);

impl FilledLater {
    /// Whether a column of a fact was still empty at the cut-off.
    #[must_use]
    pub fn was_empty(&self, kind: &str, id: &str, field: &str) -> bool {
        self.0.get(kind).and_then(|ids| ids.get(id)).is_some_and(|fields| fields.contains(field))
    }

    async fn load(tx: &DatabaseTransaction, cutoff: i64) -> Result<Self, LoadError> {
        let mut later = Self::default();
        for row in rows(tx, "SELECT kind, id, field FROM fills WHERE seq > ?", vec![cutoff.into()]).await? {
            later.0.entry(row.string(0)?).or_default().entry(row.string(1)?).or_default().insert(row.string(2)?);
        }
        Ok(later)
    }
}

/// All that rating and reviews look up for one programme, but invoices.
#[derive(Debug)]
pub struct Knowledge {
    /// The programme.
    pub program: Text,
    /// The last recording that counts.
    pub cutoff: i64,
    /// Its versions.
    pub versions: Versions,
    /// All partners.
    pub directory: Directory,
    /// The partners' home programmes, by number.
    pub homes: Vec<Text>,
    /// Exchange rates into its currency.
    pub fx: Fx,
    /// Freezes of promotions and demotions.
    pub freezes: Vec<Freeze>,
    /// Columns to be taken as empty.
    pub later: FilledLater,
    /// All programmes with the time zone in which each looks at dates.
    pub zones: Vec<(Text, Tz)>,
}

impl Knowledge {
    /// Loads what was known at a cut-off.
    ///
    /// # Errors
    /// The programme is not recorded, or the database failed.
    pub async fn load(tx: &DatabaseTransaction, program: &str, cutoff: i64) -> Result<Self, LoadError> {
        let later = FilledLater::load(tx, cutoff).await?;
        let versions = versions::load(tx, program, cutoff).await?;
        let (directory, homes) = directory::load(tx, program, cutoff, &later).await?;
        let fx = load_fx(tx, &versions, cutoff).await?;
        let freezes = load_freezes(tx, program, cutoff, &directory).await?;
        let zones = load_zones(tx).await?;
        Ok(Self { program: program.into(), cutoff, versions, directory, homes, fx, freezes, later, zones })
    }
}

/// All programmes with their time zones.
///
/// # Errors
/// The database failed or holds what is no time zone.
pub async fn load_zones(tx: &DatabaseTransaction) -> Result<Vec<(Text, Tz)>, LoadError> {
    let mut zones = Vec::new();
    for row in rows(tx, "SELECT id, timezone FROM programs ORDER BY id", vec![]).await? {
        let name = row.string(1)?;
        let zone = name.parse().map_err(|_| LoadError::Corrupt { value: name, what: "a time zone" })?;
        zones.push((row.text(0)?, zone));
    }
    Ok(zones)
}

async fn load_fx(tx: &DatabaseTransaction, versions: &Versions, cutoff: i64) -> Result<Fx, LoadError> {
    let to = versions.constant().currency;
    let mut fx = Fx::new(to);
    let query = "SELECT from_currency, dated_on, rate FROM fx WHERE to_currency = ? AND seq <= ? ORDER BY from_currency, dated_on";
    for row in rows(tx, query, vec![to.code().into(), cutoff.into()]).await? {
        let text = row.string(2)?;
        let rate = text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "an exchange rate" })?;
        fx.record(row.currency(0)?, row.date(1)?, rate);
    }
    Ok(fx)
}

async fn load_freezes(tx: &DatabaseTransaction, program: &str, cutoff: i64, directory: &Directory) -> Result<Vec<Freeze>, LoadError> {
    let query = "SELECT partner, what, from_on, through_on FROM freezes WHERE program = ? AND seq <= ? ORDER BY id";
    let mut freezes = Vec::new();
    for row in rows(tx, query, vec![program.into(), cutoff.into()]).await? {
        let partner = match row.string_or_null(0)? {
            Some(id) => Some(directory.find(&id).ok_or(LoadError::Corrupt { value: id, what: "a partner" })?),
            None => None,
        };
        let what = if row.string(1)? == "promotion" { Frozen::Promotion } else { Frozen::Demotion };
        freezes.push(Freeze { partner, what, from: row.date(2)?, through: row.date(3)? });
    }
    Ok(freezes)
}
