//! A claim's world for the kit: it is submitted when its run starts, and people say their words when the run waits for them.

use std::sync::Arc;

use books::connection::Books;
use books::load::row::rows;
use books::mdf::campaigns::{self, Word as OfCampaign};
use books::mdf::decide::{Say, Via, decide};
use books::mdf::proofs::{self, NewProof};
use books::mdf::submit::{self, New};
use books::mdf::{MdfError, asked};
use books::payouts::limits::{Cap, Limits};
use books::payouts::record;
use books::payouts::withdraw::{Withdrawal, withdraw};
use durable::clock::ManualClock;
use durable::kit::{KitError, Theatre, World};
use durable::runs::RunView;
use durable::{Clock, Database, Instant, Registry, RunId};
use program::mdf::Verdict;
use sea_orm::DatabaseTransaction;
use tempfile::TempDir;
use workflows::{MdfClaim, PayoutRun, mdf_claim, payout};

use crate::provider::{Mood, Provider};
use crate::world::{NOW, settled};

/// What people say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The manager approves less, finance all of it.
    Approves,
    /// The manager approves, finance does not.
    Rejects,
    /// A proof comes when the manager has approved; then both approve.
    Adds,
    /// Nobody says anything, whoever is asked.
    Nothing,
    /// The manager says nothing in time; the chief and finance approve.
    Escalates,
    /// Both approve, the payout is over a cap, and finance ends it.
    Withdraws,
}

pub(crate) struct ClaimStage {
    pub(crate) mood: Mood,
    pub(crate) word: Word,
}

pub(crate) struct ClaimWorld {
    _directory: TempDir,
    books: Books,
    database: Database,
    clock: Arc<ManualClock>,
    provider: Arc<Provider>,
    word: Word,
}

fn wrong(error: impl std::fmt::Display) -> KitError {
    KitError::World(error.to_string())
}

impl Theatre for ClaimStage {
    type World = ClaimWorld;

    async fn fresh(&self) -> Result<ClaimWorld, KitError> {
        let (directory, books) = settled().await?;
        let database = Database::new(books.write().clone(), books.read().clone());
        let now: program::calendar::Instant = NOW.parse().expect("an instant");
        let clock = Arc::new(ManualClock::at(Instant(now.0)));
        Ok(ClaimWorld { _directory: directory, books, database, clock, provider: Arc::new(Provider::new(self.mood)), word: self.word })
    }
}

impl ClaimWorld {
    fn now(&self) -> program::calendar::Instant {
        program::calendar::Instant(self.clock.now().0)
    }

    /// A person decides the step that waits, in one transaction with the signal.
    async fn decided(&self, by: &str, verdict: Verdict) -> Result<(), KitError> {
        let tx = self.database.begin_write().await?;
        let say = Say { claim: "CL-1", verdict, digest: None, reason: Some("seen"), via: Via::Command };
        let outcome = decide(&tx, say, by, self.now()).await.map_err(wrong)?;
        mdf_claim::decided(&tx, &outcome, self.now()).await.map_err(wrong)?;
        tx.commit().await?;
        Ok(())
    }

    async fn add_proof(&self) -> Result<(), KitError> {
        let tx = self.database.begin_write().await?;
        let sha256 = format!("sha256:{}", "ab".repeat(32));
        let proof = NewProof { sha256: &sha256, name: "invoice.pdf", media_type: "application/pdf", bytes: 10 };
        let (claim, _) = proofs::add(&tx, "CL-1", &[proof], "sue", self.now()).await.map_err(wrong)?;
        mdf_claim::changed(&tx, &claim, Some("finance"), self.now()).await.map_err(wrong)?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether the step that waits went to whoever is asked after its deadline.
    async fn is_escalated(&self) -> Result<bool, KitError> {
        let tx = self.database.begin_write().await?;
        let waiting = asked::waiting(&tx, "CL-1").await.map_err(wrong)?;
        tx.rollback().await?;
        Ok(waiting.is_some_and(|waiting| waiting.step.escalated_at.is_some()))
    }

    /// Finance ends the payout that is held, in one transaction with the signal; whether there is one.
    async fn withdrawn(&self) -> Result<bool, KitError> {
        let tx = self.database.begin_write().await?;
        let Some(held) = record::list(&tx, Some("held")).await.map_err(wrong)?.into_iter().next() else {
            tx.rollback().await?;
            return Ok(false);
        };
        let said = Withdrawal { by: "fin2", reason: "over the cap", is_unknown_to_provider: false };
        let withdrawn = withdraw(&tx, &held.id, said, self.now()).await.map_err(wrong)?;
        payout::changed(&tx, &withdrawn, "withdrawn", self.now()).await.map_err(wrong)?;
        tx.commit().await?;
        Ok(true)
    }

    async fn round(&self) -> Result<i64, KitError> {
        let tx = self.database.begin_write().await?;
        let waiting = asked::waiting(&tx, "CL-1").await.map_err(wrong)?;
        tx.rollback().await?;
        Ok(waiting.map_or(0, |waiting| waiting.claim.round))
    }
}

async fn submitted(tx: &DatabaseTransaction, now: program::calendar::Instant) -> Result<RunId, MdfError> {
    let day = now.date_in("UTC".parse().expect("a zone"));
    let campaign = campaigns::New {
        id: "webinar",
        program: None,
        partner: "acme",
        name: "Webinar",
        currency: None,
        budget: "100.00",
        from_on: day,
        through_on: day,
        cost_share: None,
    };
    campaigns::add(tx, campaign, "sue", now).await?;
    campaigns::decide(tx, "webinar", OfCampaign::Approve, "fin", None, now).await?;
    let new = New { id: "CL-1", campaign: "webinar", receipts_minor: 3_000, wanted_minor: None, proofs: &[] };
    let claim = submit::submit(tx, new, "sue", now).await?.claim;
    let claim = mdf_claim::start(tx, &claim, now).await.expect("a run starts");
    Ok(claim.workflow.and_then(|run| run.parse().ok()).expect("the claim names its run"))
}

impl World for ClaimWorld {
    fn database(&self) -> &Database {
        &self.database
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    fn registry(&self) -> Registry {
        let limits = || match self.word {
            Word::Withdraws => Limits { payout: Cap::of_any("1".parse().expect("a figure")), ..Limits::default() },
            Word::Approves | Word::Rejects | Word::Adds | Word::Nothing | Word::Escalates => Limits::default(),
        };
        let payouts = || PayoutRun { books: self.books.clone(), provider: self.provider.clone(), limits: limits(), clock: self.clock.clone() };
        Registry::new().with(payouts()).with(MdfClaim { payouts: payouts() })
    }

    async fn start(&self) -> Result<RunId, KitError> {
        let tx = self.database.begin_write().await?;
        let run = submitted(&tx, self.now()).await.map_err(wrong)?;
        tx.commit().await?;
        Ok(run)
    }

    async fn outside(&self, run: &RunView) -> Result<bool, KitError> {
        let all = Verdict::Approve { amount_minor: None };
        let waits_for = run.run.waiting_for.as_deref().unwrap_or_default();
        match (waits_for.contains("decision/channel_manager"), waits_for.contains("decision/finance"), self.word) {
            (false, false, Word::Withdraws) => return self.withdrawn().await,
            (true, _, Word::Escalates) if !self.is_escalated().await? => return Ok(false),
            (_, _, Word::Nothing) | (false, false, _) => return Ok(false),
            (true, _, Word::Escalates) => self.decided("chief", all).await?,
            (true, _, Word::Approves) => self.decided("jo", Verdict::Approve { amount_minor: Some(1_200) }).await?,
            (true, _, Word::Rejects | Word::Adds | Word::Withdraws) => self.decided("jo", all).await?,
            (_, true, Word::Rejects) => self.decided("fin", Verdict::Reject).await?,
            (_, true, Word::Adds) if self.round().await? == 1 => self.add_proof().await?,
            (_, true, Word::Approves | Word::Adds | Word::Escalates | Word::Withdraws) => self.decided("fin", all).await?,
        }
        Ok(true)
    }

    async fn effects(&self) -> Result<Vec<String>, KitError> {
        let mut lines = self.provider.books();
        let queries = [
            "SELECT 'claim ' || status || ' ' || round || ' ' || amount_minor || ' ' || COALESCE(reason, '') FROM claims",
            "SELECT 'step ' || round || ' ' || role || ' ' || status || ' ' || reminders FROM claim_steps",
            "SELECT 'decision ' || round || ' ' || ordinal || ' ' || decision || ' ' || person || ' ' || amount_minor FROM claim_decisions",
            "SELECT 'move ' || act || ' ' || amount_minor || ' ' || posted FROM claim_moves",
            "SELECT 'wallet ' || partner || ' ' || balance_minor || ' ' || held_minor FROM wallets",
            "SELECT 'draw ' || kind || ' ' || invoice || ' ' || amount_minor FROM lot_draws",
            "SELECT 'payout ' || partner || ' ' || amount_minor || ' ' || status || ' ' || COALESCE(reason, '') FROM payouts",
            "SELECT 'balance ' || account || ' ' || balance_minor FROM account_balances",
            "SELECT 'letter ' || key FROM outbox WHERE key NOT LIKE 'payout_held/%'",
            "SELECT 'run ' || workflow || ' ' || key FROM workflow_runs",
        ];
        let tx = self.books.begin_read().await?;
        for query in queries {
            for row in rows(&tx, query, vec![]).await.map_err(wrong)? {
                lines.push(row.string(0).map_err(wrong)?);
            }
        }
        tx.rollback().await?;
        lines.sort();
        Ok(lines)
    }

    fn output(&self, run: &RunView) -> serde_json::Value {
        let mut output = run.output.clone().unwrap_or_default();
        if let Some(output) = output.as_object_mut() {
            output.remove("payout");
        }
        output
    }

    /// What was held is released where the wallet was not debited; what was debited is right as far as it went.
    async fn undone(&self, _run: &RunView) -> Result<Option<String>, KitError> {
        books::audit::seal::seal_all(&self.books, self.now()).await.map_err(wrong)?;
        let report = books::verify::verify(&self.books, self.now()).await.map_err(wrong)?;
        if !report.is_ok() {
            return Ok(Some(report.text()));
        }
        let effects = self.effects().await?;
        let held = effects.iter().find(|line| line.starts_with("wallet acme") && !line.ends_with(" 0"));
        Ok(held.map(|line| format!("something is still held: {line}")))
    }
}
