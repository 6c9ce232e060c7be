//! Campaigns: asked for by one person, approved by another, with a budget, first and last day, and a share of their own if they have one.

use program::calendar::{Date, Instant};
use program::mdf::noted_at;
use program::money::{AMOUNT_LIMIT_MINOR, Currency, Rate};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Value};
use serde_json::{Value as Json, json};

use super::MdfError;
use super::terms::Terms;
use crate::audit::{self, Act};
use crate::load::row::{LoadError, Row, execute, first_row, rows};
use crate::users::{self, ADMIN, FINANCE, OPS, PARTNER, PersonError, User};

/// A campaign as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its id.
    pub id: String,
    /// The programme.
    pub program: String,
    /// Whose.
    pub partner: String,
    /// Its name.
    pub name: String,
    /// The currency of its budget and claims.
    pub currency: Currency,
    /// Its budget, minor units.
    pub budget_minor: i64,
    /// What its claims use of it, minor units.
    pub committed_minor: i64,
    /// The first day on which claims are taken, in the programme's zone.
    pub from_on: Date,
    /// The last day.
    pub through_on: Date,
    /// The share of receipts that is paid back, where it is not the programme's.
    pub cost_share: Option<Rate>,
    /// `requested approved rejected closed`.
    pub status: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: Instant,
    /// Who approved or rejected it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Instant>,
}

impl Campaign {
    /// Its JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        let money = |minor| self.currency.format_minor(minor);
        json!({
            "id": self.id, "program": self.program, "partner": self.partner, "name": self.name, "currency": self.currency.code(),
            "budget": money(self.budget_minor), "committed": money(self.committed_minor),
            "remaining": money(self.budget_minor - self.committed_minor), "from": self.from_on.to_string(), "through": self.through_on.to_string(),
            "cost_share": self.cost_share.map(|share| share.to_string()), "status": self.status, "requested_by": self.requested_by,
            "requested_at": self.requested_at.to_string(), "decided_by": self.decided_by, "decided_at": self.decided_at.map(|at| at.to_string()),
        })
    }
}

const COLUMNS: &str = "id, program, partner, name, currency, budget_minor, committed_minor, from_on, through_on, cost_share, status, requested_by, \
                       requested_at, decided_by, decided_at";

fn read(row: &Row) -> Result<Campaign, LoadError> {
    Ok(Campaign {
        id: row.string(0)?,
        program: row.string(1)?,
        partner: row.string(2)?,
        name: row.string(3)?,
        currency: row.currency(4)?,
        budget_minor: row.int(5)?,
        committed_minor: row.int(6)?,
        from_on: row.date(7)?,
        through_on: row.date(8)?,
        cost_share: row.rate_or_null(9)?,
        status: row.string(10)?,
        requested_by: row.string(11)?,
        requested_at: row.instant(12)?,
        decided_by: row.string_or_null(13)?,
        decided_at: row.int_or_null(14)?.map(Instant),
    })
}

/// A campaign that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// Its id.
    pub id: &'a str,
    /// The programme; `None`: the partner's home programme.
    pub program: Option<&'a str>,
    /// Whose.
    pub partner: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its currency; `None`: the programme's.
    pub currency: Option<Currency>,
    /// Its budget as written, in its currency.
    pub budget: &'a str,
    /// The first day on which claims are taken.
    pub from_on: Date,
    /// The last day.
    pub through_on: Date,
    /// Its share of receipts, if it has one of its own.
    pub cost_share: Option<Rate>,
}

/// Asks for a campaign, which waits for another person. Somebody of the partner asks, or finance, operations or an approver of the programme.
///
/// # Idempotency
/// The id: asking for the same again changes nothing.
///
/// # Errors
/// The person may not, a figure or text can't be taken, the partner is not a member, or the id is another campaign's.
pub async fn add(tx: &DatabaseTransaction, new: New<'_>, by: &str, now: Instant) -> Result<Campaign, MdfError> {
    users::checked("the campaign's id", new.id, 128)?;
    users::checked("the campaign's name", new.name, users::TEXT_MAX)?;
    let program = program_of(tx, new).await?;
    let terms = Terms::load(tx, &program, now).await?;
    may_ask(tx, by, new.partner, &terms).await?;
    let currency = new.currency.unwrap_or(terms.programme().currency);
    let campaign = Campaign {
        id: new.id.to_owned(),
        program,
        partner: new.partner.to_owned(),
        name: new.name.to_owned(),
        currency,
        budget_minor: budget(new.budget, currency)?,
        committed_minor: 0,
        from_on: new.from_on,
        through_on: new.through_on,
        cost_share: new.cost_share.map(share).transpose()?,
        status: "requested".to_owned(),
        requested_by: by.to_owned(),
        requested_at: now,
        decided_by: None,
        decided_at: None,
    };
    if new.from_on > new.through_on {
        return Err(MdfError::Dates { from: new.from_on, through: new.through_on });
    }
    if !insert(tx, &campaign).await? {
        return known(tx, &campaign).await;
    }
    note(tx, &campaign, "requested", by, None, now).await?;
    Ok(campaign)
}

fn budget(text: &str, currency: Currency) -> Result<i64, MdfError> {
    let wrong = |why| MdfError::Figure { what: "the budget", text: text.chars().take(60).collect(), why };
    match currency.parse_minor(text) {
        Ok(minor) if minor > 0 && minor < AMOUNT_LIMIT_MINOR => Ok(minor),
        Ok(_) => Err(wrong("it is not above zero")),
        Err(_) => Err(wrong("it is no amount of its currency under 10^15 minor units, written like 1234.50")),
    }
}

fn share(share: Rate) -> Result<Rate, MdfError> {
    let is_one = share > Rate::ZERO && share <= Rate::ONE;
    if is_one {
        Ok(share)
    } else {
        Err(MdfError::Figure { what: "the cost share", text: share.to_string(), why: "it is not above 0 and at most 100%" })
    }
}

async fn program_of(tx: &DatabaseTransaction, new: New<'_>) -> Result<String, MdfError> {
    let home = first_row(tx, "SELECT program FROM partners WHERE id = ?", vec![new.partner.into()]).await?;
    let home = home.ok_or_else(|| PersonError::NoPartner(new.partner.chars().take(60).collect()))?.string(0)?;
    let program = new.program.map_or(home, str::to_owned);
    let member = "SELECT 1 FROM memberships WHERE program = ? AND partner = ?";
    if first_row(tx, member, vec![program.as_str().into(), new.partner.into()]).await?.is_none() {
        return Err(MdfError::NoMember { partner: new.partner.to_owned(), program });
    }
    Ok(program)
}

/// Whether a person may ask for a campaign or submit a claim of a partner.
pub(super) async fn may_ask(tx: &DatabaseTransaction, by: &str, partner: &str, terms: &Terms) -> Result<User, MdfError> {
    let roles: Vec<&str> = [PARTNER, FINANCE, OPS, ADMIN].into_iter().chain(terms.roles()).collect();
    let person = users::entitled(tx, by, &roles).await?;
    // Somebody of another partner asks for nothing here, whatever the roles.
    let is_foreign = person.partner.as_deref().is_some_and(|own| own != partner);
    if is_foreign || (person.partner.is_none() && !roles.iter().any(|role| *role != PARTNER && person.has(role))) {
        return Err(PersonError::NotEntitled { id: person.id, needed: format!("{FINANCE} or {OPS}, or to belong to {partner}") }.into());
    }
    Ok(person)
}

async fn insert(tx: &DatabaseTransaction, campaign: &Campaign) -> Result<bool, LoadError> {
    let insert = "INSERT INTO campaigns (id, program, partner, name, currency, budget_minor, from_on, through_on, cost_share, status, requested_by, \
                  requested_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING";
    let values = vec![
        campaign.id.as_str().into(),
        campaign.program.as_str().into(),
        campaign.partner.as_str().into(),
        campaign.name.as_str().into(),
        campaign.currency.code().into(),
        campaign.budget_minor.into(),
        campaign.from_on.to_string().into(),
        campaign.through_on.to_string().into(),
        campaign.cost_share.map(|share| share.to_string()).into(),
        campaign.status.as_str().into(),
        campaign.requested_by.as_str().into(),
        campaign.requested_at.0.into(),
    ];
    Ok(execute(tx, insert, values).await? == 1)
}

/// The campaign that has the id, if it says the same.
async fn known(tx: &DatabaseTransaction, asked: &Campaign) -> Result<Campaign, MdfError> {
    let known = find(tx, &asked.id).await?;
    let Campaign { committed_minor, status, requested_at, decided_by, decided_at, .. } = known.clone();
    let as_asked = Campaign { committed_minor, status, requested_at, decided_by, decided_at, ..asked.clone() };
    if known == as_asked { Ok(known) } else { Err(MdfError::Taken(asked.id.clone())) }
}

/// What a person does with a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Claims may be submitted.
    Approve,
    /// There will be none.
    Reject,
    /// No further claims are taken; those under way go on.
    Close,
}

impl Word {
    const fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::Approve => ("requested", "approved"),
            Self::Reject => ("requested", "rejected"),
            Self::Close => ("approved", "closed"),
        }
    }
}

/// Approves, rejects or closes a campaign: finance, or an approver of the programme; never who asked for it, nor somebody of the partner.
/// Closing may be done by whoever asked for it, too.
///
/// # Idempotency
/// The campaign: a word that has been said changes nothing.
///
/// # Errors
/// The person may not, there is no such campaign, or it stands elsewhere.
pub async fn decide(tx: &DatabaseTransaction, id: &str, word: Word, by: &str, reason: Option<&str>, now: Instant) -> Result<Campaign, MdfError> {
    let found = locked(tx, id).await?;
    let terms = Terms::load(tx, &found.program, now).await?;
    let roles: Vec<&str> = std::iter::once(FINANCE).chain(terms.roles()).collect();
    if let Some(reason) = reason {
        users::checked("the reason", reason, users::TEXT_MAX)?;
    }
    if word != Word::Close || found.requested_by != by {
        users::stays(tx, by).await?;
        users::entitled_for(tx, by, &roles, &found.partner).await?;
    } else {
        may_ask(tx, by, &found.partner, &terms).await?;
    }
    let (from, to) = word.ends();
    if found.status == to {
        return Ok(found);
    }
    if found.status != from {
        return Err(MdfError::Campaign { campaign: id.to_owned(), status: found.status, wanted: to });
    }
    if word != Word::Close && found.requested_by == by {
        return Err(MdfError::OwnCampaign { campaign: id.to_owned(), by: by.to_owned() });
    }
    let now = noted_at(now, [Some(found.requested_at), found.decided_at]);
    let (update, values): (&str, Vec<Value>) = if word == Word::Close {
        ("UPDATE campaigns SET status = ?, revision = revision + 1 WHERE id = ?", vec![to.into(), id.into()])
    } else {
        let values = vec![to.into(), by.into(), now.0.into(), id.into()];
        ("UPDATE campaigns SET status = ?, decided_by = ?, decided_at = ?, revision = revision + 1 WHERE id = ?", values)
    };
    execute(tx, update, values).await?;
    let after = find(tx, id).await?;
    note(tx, &after, to, by, reason, now).await?;
    Ok(after)
}

async fn note(tx: &DatabaseTransaction, campaign: &Campaign, act: &str, by: &str, reason: Option<&str>, now: Instant) -> Result<(), LoadError> {
    let insert = "INSERT INTO campaign_acts (campaign, ordinal, act, by_user, at, reason) \
                  SELECT ?, COALESCE(MAX(ordinal), 0) + 1, ?, ?, ?, ? FROM campaign_acts WHERE campaign = ?";
    let values = vec![campaign.id.as_str().into(), act.into(), by.into(), now.0.into(), reason.into(), campaign.id.as_str().into()];
    execute(tx, insert, values).await?;
    let detail = json!({
        "program": campaign.program, "partner": campaign.partner, "budget": campaign.currency.format_minor(campaign.budget_minor),
        "currency": campaign.currency.code(), "reason": reason,
    });
    audit::write(tx, &Act { by: Some(by), act: &format!("campaign.{act}"), subject: &format!("campaign/{}", campaign.id), detail }, now).await
}

/// A campaign.
///
/// # Errors
/// [`MdfError::NoCampaign`], or the database failed.
pub async fn find(tx: &DatabaseTransaction, id: &str) -> Result<Campaign, MdfError> {
    let row = first_row(tx, &format!("SELECT {COLUMNS} FROM campaigns WHERE id = ?"), vec![id.into()]).await?;
    Ok(read(&row.ok_or_else(|| MdfError::NoCampaign(id.chars().take(60).collect()))?)?)
}

/// A campaign that nobody else changes until the caller's transaction ends.
async fn locked(tx: &DatabaseTransaction, id: &str) -> Result<Campaign, MdfError> {
    if ConnectionTrait::get_database_backend(tx) == DbBackend::Postgres {
        first_row(tx, "SELECT 1 FROM campaigns WHERE id = ? FOR UPDATE", vec![id.into()]).await?;
    }
    find(tx, id).await
}

/// All campaigns, of one partner if it is named, by partner and first day.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn list(tx: &DatabaseTransaction, partner: Option<&str>) -> Result<Vec<Campaign>, LoadError> {
    let filter = if partner.is_some() { "WHERE partner = ?" } else { "" };
    let query = format!("SELECT {COLUMNS} FROM campaigns {filter} ORDER BY partner, from_on, id");
    rows(tx, &query, partner.into_iter().map(Value::from).collect()).await?.iter().map(read).collect()
}

/// What was done with a campaign, oldest first.
///
/// # Errors
/// The database failed or holds what can't be read.
pub async fn history(tx: &DatabaseTransaction, id: &str) -> Result<Vec<Json>, LoadError> {
    let query = "SELECT act, by_user, at, reason FROM campaign_acts WHERE campaign = ? ORDER BY ordinal";
    let read =
        |row: &Row| Ok(json!({ "act": row.string(0)?, "by": row.string(1)?, "at": row.instant(2)?.to_string(), "reason": row.string_or_null(3)? }));
    rows(tx, query, vec![id.into()]).await?.iter().map(read).collect()
}
