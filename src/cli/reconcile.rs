//! `payout reconcile`: asks the provider where every payout in transit stands, and lists what a person must look at.

use books::connection::Books;
use books::explain::text::inert;
use books::instance::{self, Lifted};
use books::payouts::bank_files::PAIN001;
use books::payouts::by_hand::MANUAL;
use books::payouts::exceptions;
use books::payouts::hear::{self, Said};
use books::payouts::record::{self, Source};
use program::payout::{Payout, PayoutId, Ruling, State, Word as Spoken};
use serde_json::{Value as Json, json};
use workflows::payout::{is_sent_no_more, retry_parked};
use workflows::ports::{PayoutPort, PortError, Word};

use super::{At, CliError, act, output, wake};
use crate::adapters::payout_webhook::WebhookPayouts;
use crate::config::{Config, PayoutAdapter};

/// Parked messages that one transaction looks at.
const PARKED_AT_ONCE: u16 = 500;
/// Such transactions of one call.
const PARKED_ROUNDS_MAX: usize = 1_000;

/// What a person does about a payout that no provider knows and that is sent no more.
const NEVER_ARRIVED: &str = "the provider does not know it, and may have forgotten its key: nothing is sent again. Where the provider's own list \
                             does not have it either, end it with `payout mark-failed` and pay it with `payout retry`";

/// Payouts that are read at once.
const PAGE: u64 = 1_000;

/// What a reconciliation has come to.
#[derive(Debug, Default)]
struct Outcome {
    looked_up: usize,
    applied: usize,
    changed: Vec<Json>,
    open: Vec<Json>,
    lifted: Option<Lifted>,
}

pub(crate) async fn run(at: &At) -> Result<bool, CliError> {
    let config = at.configuration()?;
    let provider = provider(config)?;
    let books = at.books().await?;
    let mut outcome = Outcome { applied: parked(at, &books).await?, ..Outcome::default() };
    for status in ["requested", "unknown"] {
        let mut after = None;
        loop {
            let page = in_transit(&books, status, after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for payout in &page {
                look_up(at, &books, provider.as_ref(), payout, &mut outcome).await?;
            }
        }
    }
    let tx = books.begin_read().await?;
    let exceptions = exceptions::open(&tx).await;
    tx.rollback().await?;
    outcome.open.extend(exceptions?);
    if outcome.open.is_empty() {
        outcome.lifted = Some(lift(at, &books).await?);
    }
    let is_clean = outcome.open.is_empty();
    print(at, &outcome)?;
    Ok(is_clean)
}

/// Who can be asked; what finance or a bank pays is known to people alone.
pub(super) fn provider(config: Config) -> Result<Option<WebhookPayouts>, CliError> {
    let reports_by_webhook = config.webhooks.payouts.is_some();
    match config.payouts.adapter {
        PayoutAdapter::Webhook(provider) => {
            let made = WebhookPayouts::new(provider, reports_by_webhook);
            made.map(Some).map_err(|error| CliError::Failed(error.to_string()))
        }
        PayoutAdapter::Manual | PayoutAdapter::Pain001(_) => Ok(None),
    }
}

async fn in_transit(books: &Books, status: &str, after: Option<&PayoutId>) -> Result<Vec<Payout>, CliError> {
    let tx = books.begin_read().await?;
    let found = record::page(&tx, status, after, PAGE).await;
    tx.rollback().await?;
    Ok(found?)
}

/// Applies messages whose payout is there by now, and wakes the payouts' runs.
async fn parked(at: &At, books: &Books) -> Result<usize, CliError> {
    let mut applied = 0;
    for _ in 0..PARKED_ROUNDS_MAX {
        let count = act::transact(at, books, async |tx| Ok(retry_parked(tx, PARKED_AT_ONCE, at.now).await?)).await?;
        applied += count;
        if count == 0 {
            break;
        }
    }
    Ok(applied)
}

/// Asks where one payout stands, notes the answer and wakes its run; what can't be asked remains open.
async fn look_up(at: &At, books: &Books, provider: Option<&WebhookPayouts>, payout: &Payout, outcome: &mut Outcome) -> Result<(), CliError> {
    let adapter = payout.provider.as_deref().unwrap_or_default();
    let Some(port) = provider.filter(|port| port.capabilities().looks_up && port.capabilities().adapter == adapter) else {
        let why = match adapter {
            MANUAL => "finance pays it: say how it ended with `payout mark-paid` or `payout mark-failed`".to_owned(),
            PAIN001 => "a file for the bank pays it: say by the bank's word how it ended with `payout mark-paid` or `payout mark-failed`".to_owned(),
            _ => format!("it was given to the adapter {adapter}, which the configuration does not name or which can't be asked"),
        };
        outcome.open.push(open(payout, &why));
        return Ok(());
    };
    outcome.looked_up += 1;
    let word = match port.look_up_of(payout.id.as_str(), payout.amount()).await {
        Ok(word) => word,
        Err(error @ PortError::OtherAmount { .. }) => {
            outcome.open.push(open(payout, &error.to_string()));
            return Ok(());
        }
        Err(error) => {
            outcome.open.push(open(payout, &format!("the provider can't be asked: {error}")));
            return Ok(());
        }
    };
    let (spoken, provider_id, reason) = match &word {
        Word::Accepted { provider_id } => (Spoken::Accepted, provider_id.as_deref(), None),
        Word::Paid { provider_id } => (Spoken::Paid, provider_id.as_deref(), None),
        Word::Failed { provider_id, reason } => (Spoken::Failed, provider_id.as_deref(), Some(reason.as_str())),
        Word::NotFound => (Spoken::NotFound, None, None),
    };
    let said = Said { word: spoken, source: Source::LookUp, provider: adapter, provider_id, reason, event: None, by: None };
    let (after, ruling) = act::transact(at, books, async |tx| {
        let (after, ruling) = hear::provider_says(tx, &payout.id, &said, at.now).await?;
        if ruling == Ruling::Moves {
            wake::one(tx, &after, &format!("reconciled {}", after.revision), at.now).await?;
        }
        Ok((after, ruling))
    })
    .await?;
    if ruling == Ruling::Moves {
        let change = json!({ "payout": payout.id.as_str(), "from": payout.state.name(), "to": after.state.name(), "reason": after.state.reason() });
        outcome.changed.push(change);
    }
    if word == Word::NotFound && matches!(after.state, State::Unknown { .. }) && is_sent_no_more(&after, port.capabilities().dedupe_window, at.now) {
        outcome.open.push(open(&after, NEVER_ARRIVED));
    }
    Ok(())
}

fn open(payout: &Payout, why: &str) -> Json {
    json!({ "what": "in_transit", "payout": payout.id.as_str(), "status": payout.state.name(), "reason": why })
}

/// Ends the pause of a restored database, and wakes what it held.
async fn lift(at: &At, books: &Books) -> Result<Lifted, CliError> {
    act::transact(at, books, async |tx| {
        let lifted = instance::reconciled(tx, at.now).await?;
        if lifted == Lifted::Pause {
            workflows::payout::look_again_at_paused(tx, &format!("reconciled {}", at.now.0), at.now).await?;
        }
        Ok(lifted)
    })
    .await
}

fn print(at: &At, outcome: &Outcome) -> Result<(), CliError> {
    let lifted = match outcome.lifted {
        Some(Lifted::Pause) => Some("the pause of the restored database is lifted: payouts go on"),
        Some(Lifted::StillPaused) => Some("the restored database is reconciled; payouts stay paused as somebody wants it, see `payout list`"),
        Some(Lifted::Nothing) | None => None,
    };
    let Outcome { looked_up, applied, changed, open, .. } = outcome;
    if at.json {
        let document = json!({
            "looked_up": looked_up, "messages_applied": applied, "changed": changed, "open": open,
            "reconciled": open.is_empty(), "pause_lifted": outcome.lifted == Some(Lifted::Pause),
        });
        return output::json(&document);
    }
    let word = |json: &Json, name: &str| json[name].as_str().map(|text| inert(text).into_owned()).unwrap_or_default();
    let mut text = format!("{looked_up} looked up, {} changed, {applied} parked messages applied\n", changed.len());
    for change in changed {
        let reason = Some(word(change, "reason")).filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}")).unwrap_or_default();
        text.push_str(&format!("{} was {}, is {}{reason}\n", word(change, "payout"), word(change, "from"), word(change, "to")));
    }
    for one in open {
        let words = ["id", "what", "payout", "status", "word", "event", "reason"].map(|name| word(one, name));
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        text.push_str(&format!("look at: {}\n", words.join(", ")));
    }
    text.extend(lifted.map(|told| format!("{told}\n")));
    output::text(&text)
}
