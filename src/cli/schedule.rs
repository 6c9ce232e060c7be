//! `schedule …`: what fires by itself, and when next.

use clap::{Args, Subcommand};
use durable::schedules::{self as engine, Rule, ScheduleLine, Slot};
use serde_json::json;

use super::{At, CliError, act, output, timeline};
use crate::ops::{self, Actor};
use crate::schedules::{self, Planned};

#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(Debug, Subcommand)]
enum ScheduleCommand {
    /// All schedules with their next and last times, and the run of the last slot
    List,
    /// Keep a schedule from firing; its slots are recorded as missed
    Pause {
        /// The schedule, such as settlement/PROGRAMME
        id: String,
        /// Who does it: a user with the role ops or admin
        #[arg(long)]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Let it fire again, from its next slot on
    Resume {
        /// The schedule
        id: String,
        /// Who does it: a user with the role ops or admin
        #[arg(long)]
        by: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Run one slot now: one that was missed, or one of this moment; a slot that has run already is not run again, but where its run was cancelled or has failed
    Run {
        /// The schedule
        id: String,
        /// Which slot, in local time: 2026-05-01T06:00:00
        #[arg(long, value_name = "LOCAL_TIME", value_parser = slot)]
        slot: Option<Slot>,
        /// Who does it: a user with the role ops or admin
        #[arg(long)]
        by: String,
    },
}

fn slot(text: &str) -> Result<Slot, engine::RuleError> {
    text.parse()
}

pub(crate) async fn run(at: &At, args: ScheduleArgs) -> Result<(), CliError> {
    match args.command {
        ScheduleCommand::List => list(at).await,
        ScheduleCommand::Pause { id, by, reason } => pause(at, &id, &by, &reason).await,
        ScheduleCommand::Resume { id, by, reason } => resume(at, &id, &by, reason.as_deref().unwrap_or_default()).await,
        ScheduleCommand::Run { id, slot, by } => run_now(at, &id, slot, &by).await,
    }
}

async fn list(at: &At) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found =
        async { Ok::<_, CliError>((engine::list(&tx, durable::Instant(at.now.0), schedules::behind).await?, schedules::plans(&tx).await?)) }.await;
    tx.rollback().await?;
    let (mut lines, plans) = found?;
    let recorded: Vec<String> = lines.iter().map(|line| line.id.clone()).collect();
    for planned in plans.iter().filter(|planned| !planned.is_never() && !recorded.contains(&planned.id)) {
        lines.push(to_come(at, planned)?);
    }
    lines.sort_by(|a, b| a.id.cmp(&b.id));
    if at.json {
        let shown = |line: &ScheduleLine| {
            let mut json = serde_json::to_value(line).map_err(|error| CliError::Failed(error.to_string()))?;
            json["recorded"] = recorded.contains(&line.id).into();
            Ok(json)
        };
        let lines = lines.iter().map(shown).collect::<Result<Vec<_>, CliError>>()?;
        return output::json(&json!({ "schedules": lines }));
    }
    output::text(&lines.iter().map(|line| block(line, recorded.contains(&line.id))).collect::<Vec<_>>().join("\n"))
}

/// One that a service will record when it starts.
fn to_come(at: &At, planned: &Planned) -> Result<ScheduleLine, CliError> {
    let rule = Rule::new(&planned.expression, &planned.zone).map_err(|error| CliError::Failed(format!("{}: {error}", planned.id)))?;
    let now = durable::Instant(at.now.0);
    let next = rule.slots_after(rule.local(now)).next();
    let (expression, change) = rule.at(now);
    Ok(ScheduleLine {
        id: planned.id.clone(),
        expression,
        change,
        zone: planned.zone.clone(),
        workflow: planned.what.workflow().to_owned(),
        paused: None,
        next_slot: next.map(|slot| slot.to_string()),
        next_at: next.map(|slot| rule.due_at(slot).to_string()),
        waits_for: None,
        last_slot: None,
        last_state: None,
        last_run: None,
    })
}

fn block(line: &ScheduleLine, is_recorded: bool) -> String {
    let local = |slot: &Option<String>| slot.as_deref().unwrap_or("none").replace('T', " ");
    let mut rows = vec![vec![line.id.clone(), format!("{} ({})", line.expression, line.zone)]];
    if let Some(change) = &line.change {
        rows.push(vec!["  then".into(), format!("{} from {}", change.expression, change.from)]);
    }
    let next = match (&line.paused, &line.next_at) {
        (Some(paused), _) => format!("paused {paused}"),
        (None, Some(next_at)) => format!("{} ({} UTC)", local(&line.next_slot), timeline::time(next_at)),
        (None, None) if line.expression == engine::NEVER => "never: its programme no longer asks for it".to_owned(),
        (None, None) => "never".to_owned(),
    };
    rows.push(vec!["  next".into(), next]);
    if let Some(open) = &line.waits_for {
        rows.push(vec!["  waits".into(), format!("for {open}")]);
    }
    let last = match (&line.last_slot, &line.last_state, &line.last_run) {
        (slot @ Some(_), state, run) => {
            let words = [Some(local(slot)), state.clone(), run.clone()];
            words.into_iter().flatten().collect::<Vec<_>>().join("  ")
        }
        (None, ..) => "none".to_owned(),
    };
    rows.push(vec!["  last".into(), last]);
    if !is_recorded {
        rows.push(vec![String::new(), "a service records it when it starts".into()]);
    }
    let indent = 8;
    rows.iter()
        .map(|row| {
            let shown: Vec<_> = row.iter().map(|cell| books::explain::text::inert(cell).into_owned()).collect();
            let [name, value] = shown.as_slice() else { return String::new() };
            if name.starts_with(' ') || name.is_empty() { format!("{name:<indent$}{value}\n") } else { format!("{name}  {value}\n") }
        })
        .collect()
}

async fn pause(at: &At, id: &str, by: &str, reason: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let who = Actor { by, reason, now: at.now };
    act::transact(at, &books, async |tx| Ok(ops::pause_schedule(tx, id, who).await?)).await?;
    if at.json {
        return output::json(&json!({ "id": id, "paused": true }));
    }
    output::text(&format!("{id} is paused\n"))
}

async fn resume(at: &At, id: &str, by: &str, reason: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let who = Actor { by, reason, now: at.now };
    let missed = act::transact(at, &books, async |tx| Ok(ops::resume_schedule(tx, id, who).await?)).await?;
    if at.json {
        return output::json(&json!({ "id": id, "paused": false, "missed": missed }));
    }
    let told = match missed {
        0 => String::new(),
        1 => "; it has missed a slot, which `schedule run` makes up for".to_owned(),
        many => format!("; it has missed {many} slots, which `schedule run` makes up for"),
    };
    output::text(&format!("{id} goes on{told}\n"))
}

async fn run_now(at: &At, id: &str, slot: Option<Slot>, by: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let who = Actor { by, reason: "", now: at.now };
    let run = act::transact(at, &books, async |tx| Ok(ops::run_schedule(tx, id, slot, who).await?)).await?;
    if at.json {
        return output::json(&json!({ "id": id, "slot": slot.map(|slot| slot.to_string()), "run": run }));
    }
    output::text(&format!("{run} is started; see `workflow show {run}`\n"))
}
