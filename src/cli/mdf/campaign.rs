//! `mdf campaign …`.

use books::mdf::campaigns::{self, Campaign, New, Word};
use clap::{Args, Subcommand};
use program::calendar::{CalendarError, Date, parse_date};
use program::money::{Currency, MoneyError, Rate};

use crate::cli::{At, CliError, act, output};

#[derive(Debug, Subcommand)]
pub(crate) enum CampaignCommand {
    /// Ask for a campaign; another person approves it
    Add(AddArgs),
    /// Approve one: claims may be submitted from its first through its last day
    Approve(DecideArgs),
    /// Say no to one
    Reject(DecideArgs),
    /// Take no further claims; those under way go on
    Close(DecideArgs),
    /// All campaigns
    List {
        /// Only this partner's
        #[arg(long)]
        partner: Option<String>,
    },
    /// One campaign with its history
    Show {
        /// The campaign
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its id
    #[arg(long)]
    id: String,
    /// Whose
    #[arg(long)]
    partner: String,
    /// The programme; else the partner's home programme
    #[arg(long)]
    program: Option<String>,
    /// Its name
    #[arg(long)]
    name: String,
    /// What its claims may come to, like 5000.00
    #[arg(long)]
    budget: String,
    /// The currency of budget and claims; else the programme's
    #[arg(long, value_parser = currency)]
    currency: Option<Currency>,
    /// The first day on which claims are taken
    #[arg(long, value_parser = date)]
    from: Date,
    /// The last day
    #[arg(long, value_parser = date)]
    through: Date,
    /// The share of receipts that is paid back, like 50%; else the programme's
    #[arg(long, value_parser = rate)]
    cost_share: Option<Rate>,
    /// Who does it: a user of the partner, with the role finance or ops, or an approver of the programme
    #[arg(long)]
    by: String,
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The campaign
    id: String,
    /// Who does it: a user with the role finance or an approver of the programme, not who asked for it, nor of the partner
    #[arg(long)]
    by: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

fn currency(text: &str) -> Result<Currency, MoneyError> {
    text.to_ascii_uppercase().parse()
}

fn date(text: &str) -> Result<Date, CalendarError> {
    parse_date(text)
}

fn rate(text: &str) -> Result<Rate, MoneyError> {
    text.parse()
}

pub(crate) async fn run(at: &At, command: CampaignCommand) -> Result<(), CliError> {
    match command {
        CampaignCommand::Add(args) => add(at, &args).await,
        CampaignCommand::Approve(args) => decide(at, &args, Word::Approve).await,
        CampaignCommand::Reject(args) => decide(at, &args, Word::Reject).await,
        CampaignCommand::Close(args) => decide(at, &args, Word::Close).await,
        CampaignCommand::List { partner } => list(at, partner.as_deref()).await,
        CampaignCommand::Show { id } => show(at, &id).await,
    }
}

async fn add(at: &At, args: &AddArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let new = New {
        id: &args.id,
        program: args.program.as_deref(),
        partner: &args.partner,
        name: &args.name,
        currency: args.currency,
        budget: &args.budget,
        from_on: args.from,
        through_on: args.through,
        cost_share: args.cost_share,
    };
    let campaign = act::transact(at, &books, async |tx| Ok(campaigns::add(tx, new, &args.by, at.now).await?)).await?;
    told(at, &campaign)
}

async fn decide(at: &At, args: &DecideArgs, word: Word) -> Result<(), CliError> {
    let books = at.books().await?;
    let decided =
        act::transact(at, &books, async |tx| Ok(campaigns::decide(tx, &args.id, word, &args.by, args.reason.as_deref(), at.now).await?)).await?;
    told(at, &decided)
}

fn told(at: &At, campaign: &Campaign) -> Result<(), CliError> {
    if at.json {
        return output::json(&campaign.json());
    }
    output::text(&format!("campaign {} is {}\n", campaign.id, campaign.status))
}

async fn list(at: &At, partner: Option<&str>) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = campaigns::list(&tx, partner).await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&serde_json::json!({ "campaigns": found.iter().map(Campaign::json).collect::<Vec<_>>() }));
    }
    if found.is_empty() {
        return output::text("no campaigns\n");
    }
    let row = |one: &Campaign| {
        let money = |minor| one.currency.format_minor(minor);
        let words = [&one.id, &one.partner, &one.name, &one.status, &one.from_on.to_string(), &one.through_on.to_string(), one.currency.code()];
        words.into_iter().map(str::to_owned).chain([money(one.budget_minor), money(one.budget_minor - one.committed_minor)]).collect()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let heads = ["campaign", "partner", "name", "status", "from", "through", "currency", "budget", "remaining"];
    output::text(&output::table(&heads, &[false, false, false, false, false, false, false, true, true], &rows))
}

async fn show(at: &At, id: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async { Ok::<_, CliError>((campaigns::find(&tx, id).await?, campaigns::history(&tx, id).await?)) }.await;
    tx.rollback().await?;
    let (campaign, history) = found?;
    let mut shown = campaign.json();
    if at.json {
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("history".into(), history.into());
        }
        return output::json(&shown);
    }
    let money = |minor| campaign.currency.format_minor(minor);
    let mut text = format!("campaign {} of {} in {}: {}\n\n", campaign.id, campaign.partner, campaign.program, campaign.status);
    text.push_str(&format!("  {}\n  claims from {} through {}\n", campaign.name, campaign.from_on, campaign.through_on));
    let (budget, left) = (money(campaign.budget_minor), money(campaign.budget_minor - campaign.committed_minor));
    text.push_str(&format!("  budget {budget} {}, {left} of it left\n\n", campaign.currency));
    let word = |act: &serde_json::Value, key: &str| act[key].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = history.iter().map(|act| ["at", "act", "by", "reason"].map(|key| word(act, key)).to_vec()).collect();
    text.push_str(&output::table(&["at", "what", "by", "why"], &[false; 4], &rows));
    output::text(&text)
}
