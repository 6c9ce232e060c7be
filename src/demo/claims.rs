//! Two claims on the co-op fund of the partner with the fullest wallet: one is approved by two people, paid and told; the other is rejected
//! and leaves the wallet as it was.

use std::time::{Duration, Instant as Stopwatch};

use books::audit::seal;
use books::connection::Books;
use books::load::row::first_row;
use books::mdf::campaigns::{self, Word};
use books::mdf::decide::{Say, Via, decide};
use books::mdf::proofs::NewProof;
use books::mdf::{asked, submit};
use books::users::{self, PARTNER, User};
use books::wallet::history;
use durable::entities::message;
use durable::outbox;
use program::calendar::{Date, Instant, days_after};
use program::mdf::Verdict;
use program::money::Currency;
use sea_orm::DatabaseTransaction;
use serde_json::{Value, json};
use workflows::letters::{Letter, TOPIC};
use workflows::mdf_claim;

use super::directory::Directory;
use super::payment::{Hosted, config};
use super::{DemoError, Progress};
use crate::adapters::files::Files;
use crate::letters::Postman;

/// How long a claim may take from one person to the next.
const LIMIT: Duration = Duration::from_mins(2);
/// How often it is looked where it stands.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What the first claim asks for where the wallet has it, in whole units of the currency; half of its receipts are paid back.
const ASKED: i64 = 25_000;
/// The people: id, name, role. The submitter is of the partner; finance is there already.
const MANAGER: &str = "channel-manager-1";
const SUBMITTER: &str = "marketing-1";
/// Who has approved no account of a partner.
const APPROVES_LAST: &str = "finance-1";
/// The campaign's id.
const CAMPAIGN: &str = "spring-webinars";
/// The proof that is handed in.
const PROOF: &str = "venue-invoice.txt";
/// Letters of one listing.
const LETTERS_MAX: u64 = 10_000;

/// What became of the claims.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Whose fund it was.
    pub(crate) partner: String,
    /// Its currency.
    pub(crate) currency: Currency,
    /// What was there to be claimed before, minor units.
    pub(crate) before_minor: i64,
    /// And after.
    pub(crate) after_minor: i64,
    /// The claim that was paid, and the one that was rejected.
    pub(crate) told: Vec<Told>,
    /// What was mailed about them, in order.
    pub(crate) mails: Vec<Mailed>,
}

impl Claims {
    /// As a document.
    pub(crate) fn json(&self) -> Value {
        let money = |minor| self.currency.format_minor(minor);
        let decision = |(role, by, status): &(String, String, String)| json!({ "role": role, "by": by, "status": status });
        let told = |told: &Told| {
            json!({
                "id": told.id, "amount": money(told.amount_minor), "status": told.status, "wallet": money(told.wallet_minor),
                "decisions": told.decisions.iter().map(decision).collect::<Vec<_>>(),
            })
        };
        let mailed = |mail: &Mailed| json!({ "to": mail.to, "subject": mail.subject, "attachments": mail.attachments });
        json!({
            "partner": self.partner, "currency": self.currency.code(), "before": money(self.before_minor), "after": money(self.after_minor),
            "claims": self.told.iter().map(told).collect::<Vec<_>>(), "mails": self.mails.iter().map(mailed).collect::<Vec<_>>(),
        })
    }
}

/// A claim's end.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its id.
    pub(crate) id: String,
    /// What it asked for, minor units.
    pub(crate) amount_minor: i64,
    /// Its status.
    pub(crate) status: String,
    /// Who decided: role, person, what.
    pub(crate) decisions: Vec<(String, String, String)>,
    /// The wallet after it, minor units.
    pub(crate) wallet_minor: i64,
}

/// A mail as it was written.
#[derive(Debug)]
pub(crate) struct Mailed {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) attachments: Vec<String>,
}

/// The partner whose wallet has most, by the programme's currency; `None`: no wallet has enough for a claim.
async fn fullest(tx: &DatabaseTransaction, program: &str, currency: Currency) -> Result<Option<(String, i64)>, DemoError> {
    let query = "SELECT w.partner, w.balance_minor - w.held_minor FROM wallets w JOIN payout_destinations d ON d.partner = w.partner AND d.currency = w.currency \
                 WHERE w.program = ? AND w.currency = ? AND d.approved_at IS NOT NULL ORDER BY 2 DESC, 1 LIMIT 1";
    let found = first_row(tx, query, vec![program.into(), currency.code().into()]).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some((row.string(0)?, row.int(1)?)).filter(|(_, minor)| *minor >= 100 * unit(currency)))
}

/// Minor units of one.
fn unit(currency: Currency) -> i64 {
    currency.parse_minor("1").unwrap_or(1)
}

struct Stage<'a> {
    books: &'a Books,
    hosted: &'a Hosted,
    directory: &'a Directory,
    program: &'a str,
    partner: String,
    currency: Currency,
    /// The last letter before the claims.
    since: Option<String>,
}

/// Plays both claims against the service that runs.
///
/// # Errors
/// Somebody was not asked within the limit, or the service has stopped.
pub(super) async fn play(
    hosted: &Hosted,
    directory: &Directory,
    books: &Books,
    (program, currency): (&str, Currency),
    progress: &Progress,
) -> Result<Option<Claims>, DemoError> {
    let tx = books.begin_read().await?;
    let fullest = fullest(&tx, program, currency).await;
    tx.rollback().await?;
    let Some((partner, before_minor)) = fullest? else { return Ok(None) };
    let since = letters(books, None).await?.pop().map(|letter| letter.id);
    let stage = Stage { books, hosted, directory, program, partner, currency, since };
    let asked_minor = (ASKED * unit(currency)).min(before_minor / 2 / unit(currency) * unit(currency));
    stage.begin(asked_minor).await?;
    let (paid, rejected) = (("CL-1", asked_minor), ("CL-2", asked_minor / 5));
    progress.note(format!("{}: a claim of {}", stage.partner, currency.format_minor(paid.1)));
    stage.submit(paid).await?;
    stage.decide(paid.0, MANAGER, Verdict::Approve { amount_minor: None }, None).await?;
    // Small claims skip finance.
    if stage.waits(paid.0).await? {
        stage.decide(paid.0, APPROVES_LAST, Verdict::Approve { amount_minor: None }, None).await?;
    }
    let first = stage.end(paid).await?;
    progress.note(format!("{}: a claim that is rejected", stage.partner));
    stage.submit(rejected).await?;
    stage.decide(rejected.0, MANAGER, Verdict::Reject, Some("the event was not agreed on")).await?;
    let second = stage.end(rejected).await?;
    seal::seal_all(books, hosted.now()).await?;
    let mails = stage.mails().await?;
    let Stage { partner, .. } = stage;
    Ok(Some(Claims { partner, currency, before_minor, after_minor: second.wallet_minor, told: vec![first, second], mails }))
}

impl Stage<'_> {
    async fn write<T>(&self, work: impl AsyncFn(&DatabaseTransaction, Instant) -> Result<T, DemoError>) -> Result<T, DemoError> {
        let tx = self.books.begin_write().await?;
        match work(&tx, self.hosted.now()).await {
            Ok(done) => {
                tx.commit().await?;
                Ok(done)
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    async fn read<T>(&self, look: impl AsyncFn(&DatabaseTransaction) -> Result<T, DemoError>) -> Result<T, DemoError> {
        let tx = self.books.begin_read().await?;
        let seen = look(&tx).await;
        tx.rollback().await?;
        seen
    }

    /// People, and a campaign that finance has approved.
    async fn begin(&self, asked_minor: i64) -> Result<(), DemoError> {
        let day: Date = self.hosted.now().utc().date_naive();
        let person = |id: &str, name: &str, role: &str, partner: Option<String>| {
            let host = if partner.is_some() { "partner" } else { "vendor" };
            User { id: id.into(), email: format!("{id}@{host}.example"), name: name.into(), partner, roles: vec![role.into()], disabled: None }
        };
        let people = [
            person(SUBMITTER, "Marketing of the partner", PARTNER, Some(self.partner.clone())),
            person(MANAGER, "First channel manager", "channel_manager", None),
            person("channel-chief-1", "Head of channels", "channel_chief", None),
        ];
        let budget = self.currency.format_minor(asked_minor * 2);
        let campaign = campaigns::New {
            id: CAMPAIGN,
            program: Some(self.program),
            partner: &self.partner,
            name: "Spring webinars",
            currency: Some(self.currency),
            budget: &budget,
            from_on: day,
            through_on: days_after(day, 60),
            cost_share: None,
        };
        self.write(async |tx, now| {
            for user in &people {
                users::add(tx, user, now).await?;
            }
            campaigns::add(tx, campaign, SUBMITTER, now).await?;
            campaigns::decide(tx, CAMPAIGN, Word::Approve, "finance-2", None, now).await?;
            Ok(())
        })
        .await
    }

    /// Hands a claim in with its proof; its receipts are twice what is asked for.
    async fn submit(&self, (id, asked_minor): (&str, i64)) -> Result<(), DemoError> {
        let text = format!("Venue and catering, {}: {} {}\n", id, self.currency.format_minor(asked_minor * 2), self.currency.code());
        let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let sha256 = Files::open(&self.directory.files_url())?.keep(text.into_bytes()).await?;
        let proofs = [NewProof { sha256: &sha256, name: PROOF, media_type: "text/plain", bytes }];
        let new = submit::New { id, campaign: CAMPAIGN, receipts_minor: asked_minor * 2, wanted_minor: None, proofs: &proofs };
        self.write(async |tx, now| {
            let submitted = submit::submit(tx, new, SUBMITTER, now).await?;
            mdf_claim::start(tx, &submitted.claim, now).await?;
            Ok(())
        })
        .await
    }

    /// Whether somebody is asked about a claim.
    async fn waits(&self, id: &str) -> Result<bool, DemoError> {
        self.read(async |tx| Ok(asked::waiting(tx, id).await?.is_some())).await
    }

    /// A person gets the mail, looks at the claim and decides about what was shown.
    async fn decide(&self, id: &str, by: &str, verdict: Verdict, reason: Option<&str>) -> Result<(), DemoError> {
        self.until(id, async |tx| {
            let Some(waiting) = asked::waiting(tx, id).await? else { return Ok(false) };
            let (round, ordinal) = (waiting.claim.round, waiting.step.ordinal);
            let sent = outbox::list(tx, Some("sent"), self.since.as_deref(), LETTERS_MAX).await?;
            Ok(sent.iter().any(|letter| {
                matches!(serde_json::from_value(letter_body(letter)), Ok(Letter::ApprovalAsked { claim, round: of, step, person, .. })
                    if (claim.as_str(), of, step, person.as_str()) == (id, round, ordinal, by))
            }))
        })
        .await?;
        self.write(async |tx, now| {
            let shown = asked::waiting(tx, id).await?.map(|waiting| waiting.digest);
            let say = Say { claim: id, verdict, digest: shown.as_deref(), reason, via: Via::Command };
            let outcome = decide(tx, say, by, now).await?;
            mdf_claim::decided(tx, &outcome, now).await?;
            Ok(())
        })
        .await
    }

    /// Waits until a claim has ended and everybody is told.
    async fn end(&self, (id, amount_minor): (&str, i64)) -> Result<Told, DemoError> {
        self.until(id, async |tx| {
            let open = "SELECT 1 FROM workflow_runs WHERE workflow = 'mdf_claim' AND finished_at IS NULL \
                        UNION ALL SELECT 1 FROM outbox WHERE topic = ? AND status <> 'sent' LIMIT 1";
            Ok(first_row(tx, open, vec![TOPIC.into()]).await?.is_none())
        })
        .await?;
        let now = self.hosted.now();
        self.read(async |tx| {
            let claim = books::mdf::find(tx, id).await?.ok_or_else(|| DemoError::Claim(id.to_owned()))?;
            let steps = books::mdf::steps(tx, id, claim.round).await?;
            let by = |step: &books::mdf::Step| step.decision.as_ref().map(|said| (step.role.clone(), said.by.clone(), step.status.clone()));
            let wallets = history::of_partner(tx, &self.partner, Some(self.program), now).await?;
            let wallet = wallets.into_iter().find(|wallet| wallet.key.currency == self.currency);
            let wallet_minor = wallet.and_then(|wallet| wallet.available_minor().ok()).unwrap_or_default();
            Ok(Told {
                id: id.to_owned(),
                amount_minor,
                status: claim.status.name().to_owned(),
                decisions: steps.iter().filter_map(by).collect(),
                wallet_minor,
            })
        })
        .await
    }

    async fn until(&self, id: &str, is_so: impl AsyncFn(&DatabaseTransaction) -> Result<bool, DemoError> + Sync) -> Result<(), DemoError> {
        let began = Stopwatch::now();
        while !self.read(&is_so).await? {
            if self.hosted.has_ended() {
                return Err(DemoError::Stopped);
            }
            if began.elapsed() > LIMIT {
                return Err(DemoError::Claim(id.to_owned()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The mails about claims, in the words in which they were written.
    async fn mails(&self) -> Result<Vec<Mailed>, DemoError> {
        let config = config(self.directory, self.hosted.provider(), self.hosted.clock)?;
        let postman = Postman::new(&config.mail, &config.statements)?;
        let mut mails = Vec::new();
        for row in letters(self.books, self.since.as_deref()).await? {
            let letter = serde_json::from_value::<Letter>(letter_body(&row)).map_err(|error| DemoError::Letter(error.to_string()))?;
            let mail = postman.words(self.books, &letter).await.map_err(|error| DemoError::Letter(error.to_string()))?;
            let attachments = mail.attachments.into_iter().map(|attachment| attachment.name).collect();
            mails.push(Mailed { to: mail.to.join(", "), subject: mail.subject, text: mail.text, attachments });
        }
        Ok(mails)
    }
}

/// The letters that were written after one, in order.
async fn letters(books: &Books, after: Option<&str>) -> Result<Vec<message::Model>, DemoError> {
    let mut letters = outbox::list(books.read(), Some("sent"), after, LETTERS_MAX).await?;
    letters.retain(|letter| letter.topic == TOPIC);
    // Those of one moment, to several people, have ids in any order.
    letters.sort_by(|a, b| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
    Ok(letters)
}

fn letter_body(row: &message::Model) -> serde_json::Value {
    serde_json::from_str(&row.body).unwrap_or_default()
}
