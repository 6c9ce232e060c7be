//! The members of a programme: who they are, and their histories.

use std::collections::{BTreeSet, HashMap};

use program::calendar::Date;
use program::programme::Programme;
use sea_orm::DatabaseTransaction;

use super::{Filled, in_force};
use crate::load::row::{LoadError, Row, rows};
use crate::verify::figures::micro_of;

/// A chain of parents is followed no further: circles are refused when links are recorded.
const CHAIN_MAX: usize = 1000;

/// A link to a parent.
#[derive(Debug)]
struct Link {
    from: Date,
    seq: i64,
    parent: Option<String>,
    rate_micro: Filled<i64>,
}

#[derive(Debug)]
struct Certificate {
    certification: String,
    holder: String,
    issued_on: Date,
    expires_on: Date,
    revoked_on: Filled<Date>,
    seq: i64,
}

/// What begins on a day and was recorded then.
type Dated = (Date, i64, String);

/// A partner and its membership.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) home: String,
    kind: Filled<String>,
    country: Filled<String>,
    tiers: Vec<Dated>,
    links: Vec<Link>,
    statuses: Vec<Dated>,
    certificates: Vec<Certificate>,
    metrics: HashMap<String, Vec<Dated>>,
}

fn dated(row: &Dated) -> (Date, i64) {
    (row.0, row.1)
}

impl Member {
    pub(crate) fn kind(&self, cutoff: i64) -> &str {
        self.kind.at(cutoff).map_or("", String::as_str)
    }

    pub(crate) fn country(&self, cutoff: i64) -> &str {
        self.country.at(cutoff).map_or("", String::as_str)
    }

    /// The rank of the effective tier; `None`: not yet a member (domain.md §3.3).
    pub(crate) fn tier(&self, says: &Programme, day: Date, cutoff: i64) -> Option<usize> {
        let (_, _, earned) = in_force(&self.tiers, dated, day, cutoff)?;
        let rank = says.tiers.iter().position(|tier| tier.id == *earned)?;
        let holders = |certification: &str| {
            let valid = self.certificates.iter().filter(|held| {
                let revoked = held.revoked_on.at(cutoff).is_some_and(|revoked| *revoked <= day);
                held.seq <= cutoff && held.certification == certification && held.issued_on <= day && day < held.expires_on && !revoked
            });
            valid.map(|held| held.holder.as_str()).collect::<BTreeSet<&str>>().len()
        };
        let is_held = says.tiers[rank].certifications.iter().all(|(name, needed)| u32::try_from(holders(name)).is_ok_and(|held| held >= *needed));
        Some(if is_held { rank } else { 0 })
    }

    /// Whether it is a member and active (domain.md §3.11).
    pub(crate) fn is_active(&self, day: Date, cutoff: i64) -> bool {
        let status = in_force(&self.statuses, dated, day, cutoff);
        status.is_none_or(|(_, _, status)| status == "active") && in_force(&self.tiers, dated, day, cutoff).is_some()
    }

    /// A metric's text on a day.
    pub(crate) fn metric(&self, name: &str, day: Date, cutoff: i64) -> Option<&str> {
        in_force(self.metrics.get(name)?, dated, day, cutoff).map(|(_, _, value)| value.as_str())
    }
}

/// All partners as one programme sees them.
#[derive(Debug)]
pub(crate) struct Members(HashMap<String, Member>);

impl Members {
    /// Loads all partners; of metrics only those named.
    pub(crate) async fn load(tx: &DatabaseTransaction, program: &str, metrics: &BTreeSet<String>) -> Result<Self, LoadError> {
        let mut members = Self(HashMap::new());
        members.partners(tx).await?;
        members.histories(tx, program).await?;
        members.links(tx, program).await?;
        members.certificates(tx).await?;
        for metric in metrics {
            let query = "SELECT partner, as_of, seq, value FROM metrics WHERE metric = ? ORDER BY partner, as_of";
            for row in rows(tx, query, vec![metric.as_str().into()]).await? {
                if let Some(member) = members.0.get_mut(&row.string(0)?) {
                    member.metrics.entry(metric.clone()).or_default().push((row.date(1)?, row.int(2)?, row.string(3)?));
                }
            }
        }
        Ok(members)
    }

    pub(crate) fn get(&self, partner: &str) -> Option<&Member> {
        self.0.get(partner)
    }

    /// The ancestors on a day, nearest first, each with the rate of the link that leads to it.
    pub(crate) fn ancestors<'a>(&'a self, partner: &str, day: Date, cutoff: i64) -> Vec<(&'a str, Option<i64>)> {
        let mut chain: Vec<(&str, Option<i64>)> = Vec::new();
        let mut at = self.get(partner);
        while let Some(link) = at.and_then(|member| in_force(&member.links, |link| (link.from, link.seq), day, cutoff)) {
            let Some(parent) = link.parent.as_deref().filter(|_| chain.len() < CHAIN_MAX) else { break };
            chain.push((parent, link.rate_micro.at(cutoff).copied()));
            at = self.get(parent);
        }
        chain
    }

    async fn partners(&mut self, tx: &DatabaseTransaction) -> Result<(), LoadError> {
        let query = "SELECT p.id, p.program, p.kind, k.seq, p.country, c.seq FROM partners p \
                     LEFT JOIN fills k ON k.kind = 'partners' AND k.id = p.id AND k.field = 'kind' \
                     LEFT JOIN fills c ON c.kind = 'partners' AND c.id = p.id AND c.field = 'country'";
        for row in rows(tx, query, Vec::new()).await? {
            let member = Member {
                home: row.string(1)?,
                kind: Filled { value: row.string_or_null(2)?, since: since(&row, 3)? },
                country: Filled { value: row.string_or_null(4)?, since: since(&row, 5)? },
                tiers: Vec::new(),
                links: Vec::new(),
                statuses: Vec::new(),
                certificates: Vec::new(),
                metrics: HashMap::new(),
            };
            self.0.insert(row.string(0)?, member);
        }
        Ok(())
    }

    async fn histories(&mut self, tx: &DatabaseTransaction, program: &str) -> Result<(), LoadError> {
        let tiers = "SELECT partner, effective_from, seq, tier FROM tier_assignments WHERE program = ? ORDER BY partner, effective_from, seq, no";
        for row in rows(tx, tiers, vec![program.into()]).await? {
            if let Some(member) = self.0.get_mut(&row.string(0)?) {
                member.tiers.push((row.date(1)?, row.int(2)?, row.string(3)?));
            }
        }
        let statuses = "SELECT partner, effective_from, seq, status FROM statuses WHERE program = ? ORDER BY partner, effective_from";
        for row in rows(tx, statuses, vec![program.into()]).await? {
            if let Some(member) = self.0.get_mut(&row.string(0)?) {
                member.statuses.push((row.date(1)?, row.int(2)?, row.string(3)?));
            }
        }
        Ok(())
    }

    async fn links(&mut self, tx: &DatabaseTransaction, program: &str) -> Result<(), LoadError> {
        let query = "SELECT l.partner, l.effective_from, l.seq, l.parent, l.override_rate, f.seq FROM parent_links l LEFT JOIN fills f \
                     ON f.kind = 'parents' AND f.id = l.partner || '/' || l.program || '/' || l.effective_from AND f.field = 'override_rate' \
                     WHERE l.program = ? ORDER BY l.partner, l.effective_from";
        for row in rows(tx, query, vec![program.into()]).await? {
            let rate_micro = Filled { value: micro_or_null(&row, 4)?, since: since(&row, 5)? };
            if let Some(member) = self.0.get_mut(&row.string(0)?) {
                member.links.push(Link { from: row.date(1)?, seq: row.int(2)?, parent: row.string_or_null(3)?, rate_micro });
            }
        }
        Ok(())
    }

    async fn certificates(&mut self, tx: &DatabaseTransaction) -> Result<(), LoadError> {
        let query = "SELECT c.partner, c.certification, c.holder, c.issued_on, c.expires_on, c.revoked_on, f.seq, c.seq FROM certifications c \
                     LEFT JOIN fills f ON f.kind = 'certifications' AND f.id = c.id AND f.field = 'revoked_on'";
        for row in rows(tx, query, Vec::new()).await? {
            let certificate = Certificate {
                certification: row.string(1)?,
                holder: row.string(2)?,
                issued_on: row.date(3)?,
                expires_on: row.date(4)?,
                revoked_on: Filled { value: row.date_or_null(5)?, since: since(&row, 6)? },
                seq: row.int(7)?,
            };
            if let Some(member) = self.0.get_mut(&row.string(0)?) {
                member.certificates.push(certificate);
            }
        }
        Ok(())
    }
}

/// The recording that filled a column, 0 where none did.
pub(crate) fn since(row: &Row, column: usize) -> Result<i64, LoadError> {
    Ok(row.int_or_null(column)?.unwrap_or(0))
}

/// A rate or share in millionths.
pub(crate) fn micro(row: &Row, column: usize) -> Result<i64, LoadError> {
    let text = row.string(column)?;
    micro_of(&text).ok_or(LoadError::Corrupt { value: text, what: "a rate" })
}

/// A rate in millionths, or nothing.
pub(crate) fn micro_or_null(row: &Row, column: usize) -> Result<Option<i64>, LoadError> {
    row.string_or_null(column)?.map(|text| micro_of(&text).ok_or(LoadError::Corrupt { value: text, what: "a rate" })).transpose()
}
