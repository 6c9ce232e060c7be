//! `mdf claim …`: each act in one transaction with the start or the signal of the claim's run.

use std::path::PathBuf;

use books::mdf::decide::{Say, Via, decide};
use books::mdf::proofs::NewProof;
#[cfg(feature = "pdf")]
use books::mdf::statement;
use books::mdf::submit::{self, Anew, New};
use books::mdf::{Claim, MdfError, asked, campaigns, end, proofs as of_claim, show as shown};
use clap::{Args, Subcommand};
use program::mdf::{Status, Verdict};
use program::money::Currency;
use sea_orm::DatabaseTransaction;
use serde_json::Value as Json;
use workflows::mdf_claim;

use super::proofs::{self, Kept};
#[cfg(feature = "pdf")]
use crate::cli::pdf;
use crate::cli::{At, CliError, act, output};

#[derive(Debug, Subcommand)]
pub(crate) enum ClaimCommand {
    /// Submit a claim: its amount is held, and its approvers are asked
    Submit(SubmitArgs),
    /// Hand in more proofs: while the claim waits, all decisions are void and its route begins anew
    AddProof {
        /// The claim
        id: String,
        /// PDF, PNG, JPEG, CSV or plain text, of at most 20 MiB each
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Who does it: as for submit
        #[arg(long)]
        by: String,
    },
    /// Submit a rejected claim again
    Resubmit {
        /// The claim
        id: String,
        /// Other receipts
        #[arg(long)]
        receipts: Option<String>,
        /// Ask for this much, at most the share of the receipts
        #[arg(long)]
        amount: Option<String>,
        /// Who does it: as for submit
        #[arg(long)]
        by: String,
    },
    /// Approve the step that waits
    Approve {
        /// The claim
        id: String,
        /// Who does it: a user with the role that is asked
        #[arg(long)]
        by: String,
        /// Approve less
        #[arg(long)]
        amount: Option<String>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Reject the claim at the step that waits: its amount is released
    Reject(ReasonArgs),
    /// Take a claim back before the wallet is debited
    Cancel(ReasonArgs),
    /// All claims
    List {
        /// Only those of this status
        #[arg(long, value_parser = status)]
        status: Option<Status>,
        /// Only this partner's
        #[arg(long)]
        partner: Option<String>,
        /// Only this campaign's
        #[arg(long)]
        campaign: Option<String>,
    },
    /// One claim with its steps, proofs and decisions
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The claim
    id: String,
    #[cfg(feature = "pdf")]
    #[command(flatten)]
    pdf: pdf::PdfArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// Its id
    #[arg(long)]
    id: String,
    /// Its campaign
    #[arg(long)]
    campaign: String,
    /// What was spent, like 5000.00, in the campaign's currency
    #[arg(long)]
    receipts: String,
    /// Ask for this much, at most the share of the receipts that is paid back
    #[arg(long)]
    amount: Option<String>,
    /// A proof: PDF, PNG, JPEG, CSV or plain text, of at most 20 MiB; may be repeated
    #[arg(long = "proof")]
    proofs: Vec<PathBuf>,
    /// Who does it: a user of the partner, with the role finance or ops, or an approver of the programme (who then decides nothing of it)
    #[arg(long)]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    /// The claim
    id: String,
    /// Who does it
    #[arg(long)]
    by: String,
    /// Why
    #[arg(long)]
    reason: String,
}

fn status(text: &str) -> Result<Status, String> {
    let names = || Status::ALL.map(Status::name).join(", ");
    Status::named(text).ok_or_else(|| format!("{text:?} is no status of claims; write one of {}", names()))
}

pub(crate) async fn run(at: &At, command: ClaimCommand) -> Result<(), CliError> {
    match command {
        ClaimCommand::Submit(args) => submit(at, &args).await,
        ClaimCommand::AddProof { id, files, by } => add_proof(at, &id, &proofs::keep(at, &files).await?, &by).await,
        ClaimCommand::Resubmit { id, receipts, amount, by } => resubmit(at, &id, (receipts.as_deref(), amount.as_deref()), &by).await,
        ClaimCommand::Approve { id, by, amount, reason } => approve(at, &id, &by, amount.as_deref(), reason.as_deref()).await,
        ClaimCommand::Reject(args) => reject(at, &args).await,
        ClaimCommand::Cancel(args) => cancel(at, &args).await,
        ClaimCommand::List { status, partner, campaign } => list(at, status, partner.as_deref(), campaign.as_deref()).await,
        ClaimCommand::Show(args) => show(at, args).await,
    }
}

fn amount(what: &str, text: &str, currency: Currency) -> Result<i64, CliError> {
    currency.parse_minor(text).map_err(|error| CliError::Input(format!("{what}: {error}")))
}

async fn found(tx: &DatabaseTransaction, id: &str) -> Result<Claim, CliError> {
    let found = books::mdf::find(tx, id).await?;
    Ok(found.ok_or_else(|| MdfError::NoClaim(id.chars().take(60).collect()))?)
}

/// The role of the step that a claim's run waits for.
async fn waited_for(tx: &DatabaseTransaction, id: &str) -> Result<Option<String>, CliError> {
    Ok(asked::waiting_locked(tx, id).await?.map(|waiting| waiting.step.role))
}

async fn submit(at: &At, args: &SubmitArgs) -> Result<(), CliError> {
    let kept = proofs::keep(at, &args.proofs).await?;
    let books = at.books().await?;
    let told = act::transact(at, &books, async |tx| {
        let currency = campaigns::find(tx, &args.campaign).await?.currency;
        let proofs: Vec<NewProof<'_>> = kept.iter().map(Kept::proof).collect();
        let new = New {
            id: &args.id,
            campaign: &args.campaign,
            receipts_minor: amount("--receipts", &args.receipts, currency)?,
            wanted_minor: args.amount.as_deref().map(|text| amount("--amount", text, currency)).transpose()?,
            proofs: &proofs,
        };
        let submitted = submit::submit(tx, new, &args.by, at.now).await?;
        let claim = if submitted.is_new { mdf_claim::start(tx, &submitted.claim, at.now).await? } else { submitted.claim };
        told(tx, claim).await
    })
    .await?;
    tell(at, &told, "is submitted")
}

async fn add_proof(at: &At, id: &str, kept: &[Kept], by: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let told = act::transact(at, &books, async |tx| {
        let waited_for = waited_for(tx, id).await?;
        let proofs: Vec<NewProof<'_>> = kept.iter().map(Kept::proof).collect();
        let (claim, _) = of_claim::add(tx, id, &proofs, by, at.now).await?;
        mdf_claim::changed(tx, &claim, waited_for.as_deref(), at.now).await?;
        told(tx, claim).await
    })
    .await?;
    tell(at, &told, "has the proofs")
}

async fn resubmit(at: &At, id: &str, (receipts, wanted): (Option<&str>, Option<&str>), by: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let told = act::transact(at, &books, async |tx| {
        let currency = found(tx, id).await?.currency;
        let anew = Anew {
            receipts_minor: receipts.map(|text| amount("--receipts", text, currency)).transpose()?,
            wanted_minor: wanted.map(|text| amount("--amount", text, currency)).transpose()?,
        };
        let claim = submit::resubmit(tx, id, anew, by, at.now).await?;
        told(tx, mdf_claim::start(tx, &claim, at.now).await?).await
    })
    .await?;
    tell(at, &told, "is submitted again")
}

async fn approve(at: &At, id: &str, by: &str, lower: Option<&str>, reason: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let told = act::transact(at, &books, async |tx| {
        let currency = found(tx, id).await?.currency;
        let amount_minor = lower.map(|text| amount("--amount", text, currency)).transpose()?;
        decided(at, tx, Say { claim: id, verdict: Verdict::Approve { amount_minor }, digest: None, reason, via: Via::Command }, by).await
    })
    .await?;
    tell(at, &told, "is approved at this step")
}

async fn reject(at: &At, args: &ReasonArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let say = Say { claim: &args.id, verdict: Verdict::Reject, digest: None, reason: Some(&args.reason), via: Via::Command };
    let told = act::transact(at, &books, async |tx| decided(at, tx, say, &args.by).await).await?;
    tell(at, &told, "is rejected")
}

async fn decided(at: &At, tx: &DatabaseTransaction, say: Say<'_>, by: &str) -> Result<Told, CliError> {
    let outcome = decide(tx, say, by, at.now).await?;
    mdf_claim::decided(tx, &outcome, at.now).await?;
    told(tx, outcome.claim).await
}

async fn cancel(at: &At, args: &ReasonArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let told = act::transact(at, &books, async |tx| {
        let waited_for = waited_for(tx, &args.id).await?;
        let claim = end::cancel(tx, &args.id, &args.by, &args.reason, at.now).await?;
        mdf_claim::changed(tx, &claim, waited_for.as_deref(), at.now).await?;
        told(tx, claim).await
    })
    .await?;
    tell(at, &told, "is taken back")
}

/// A claim after an act, with its JSON.
struct Told {
    claim: Claim,
    json: Json,
}

async fn told(tx: &DatabaseTransaction, claim: Claim) -> Result<Told, CliError> {
    let json = shown::json(tx, &claim).await?;
    Ok(Told { claim, json })
}

fn tell(at: &At, told: &Told, what: &str) -> Result<(), CliError> {
    if at.json {
        return output::json(&told.json);
    }
    let Claim { id, status, amount_minor, currency, .. } = &told.claim;
    output::text(&format!("claim {id} {what}: {} {currency}, {status}\n", currency.format_minor(*amount_minor)))
}

async fn list(at: &At, status: Option<Status>, partner: Option<&str>, campaign: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async {
        let claims = books::mdf::list(&tx, status, partner, campaign).await?;
        let mut documents = Vec::new();
        for claim in claims.iter().filter(|_| at.json) {
            documents.push(shown::json(&tx, claim).await?);
        }
        Ok::<_, CliError>((claims, documents))
    }
    .await;
    tx.rollback().await?;
    let (claims, documents) = found?;
    if at.json {
        return output::json(&serde_json::json!({ "claims": documents }));
    }
    if claims.is_empty() {
        return output::text("no claims\n");
    }
    let row = |one: &Claim| {
        let words = [&one.id, &one.partner, &one.campaign, one.status.name(), one.currency.code()];
        let amounts = [one.receipts_minor, one.asked_minor, one.amount_minor].map(|minor| one.currency.format_minor(minor));
        words.into_iter().map(str::to_owned).chain(amounts).collect()
    };
    let rows: Vec<Vec<String>> = claims.iter().map(row).collect();
    let heads = ["claim", "partner", "campaign", "status", "currency", "receipts", "asked", "amount"];
    output::text(&output::table(&heads, &[false, false, false, false, false, true, true, true], &rows))
}

async fn show(at: &At, args: ShowArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async {
        let claim = found(&tx, &args.id).await?;
        #[cfg(feature = "pdf")]
        let statement = if args.pdf.file().is_some() { statement::of(&tx, &claim.id).await? } else { None };
        #[cfg(not(feature = "pdf"))]
        let statement = ();
        Ok::<_, CliError>((shown::detailed(&tx, &claim).await?, claim, statement))
    }
    .await;
    tx.rollback().await?;
    #[cfg_attr(not(feature = "pdf"), allow(unused_variables, reason = "only a PDF needs the statement"))]
    let (json, claim, statement) = found?;
    #[cfg(feature = "pdf")]
    if let Some(file) = args.pdf.file() {
        let unpaid = || CliError::Input(format!("claim {} is {}; the statement of a claim is made when it is paid", claim.id, claim.status));
        let written = pdf::write_claim(at, file.to_owned(), args.pdf, statement.ok_or_else(unpaid)?).await?;
        return if at.json { output::json(&json) } else { output::text(&written) };
    }
    if at.json {
        return output::json(&json);
    }
    let money = |minor| claim.currency.format_minor(minor);
    let mut text = format!("claim {} of {} for {}: {}\n\n", claim.id, claim.partner, claim.campaign, claim.status);
    for (name, minor) in [("receipts", claim.receipts_minor), ("asked", claim.asked_minor), ("amount", claim.amount_minor)] {
        text.push_str(&format!("  {name:<8}  {} {}\n", money(minor), claim.currency));
    }
    if let Some(reason) = &claim.reason {
        text.push_str(&format!("\n{reason}\n"));
    }
    text.push_str(&table(&json["steps"], "steps", &["role", "status", "by", "at", "amount", "reason"]));
    text.push_str(&table(&json["proofs"], "proofs", &["name", "media_type", "sha256"]));
    text.push_str(&table(&json["decisions"], "decisions of all rounds", &["step", "decision", "by", "at", "amount", "reason", "via"]));
    output::text(&text)
}

fn table(list: &Json, name: &str, keys: &[&str]) -> String {
    let rows = list.as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = rows.map(|row| keys.iter().map(|key| row[*key].as_str().unwrap_or_default().to_owned()).collect()).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{name}\n{}", output::table(keys, &vec![false; keys.len()], &rows))
}
