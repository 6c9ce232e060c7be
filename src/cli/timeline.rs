//! The timeline of a run for people: every step, attempt, error, signal and act in the order in which they happened, no wider than a
//! terminal. All times are in UTC, to the second.

use books::explain::text::inert;
use durable::runs::{EventView, RunView, StepView};
use program::calendar::Instant;

/// How wide it is where there is no terminal.
pub(super) const WIDTH: usize = 100;
/// A terminal that is narrower than this folds what is printed by itself.
const WIDTH_MIN: usize = 60;
/// `2026-05-01 06:00:00`.
const TIME_WIDTH: usize = 19;
/// The longest word of an entry, `attempt failed`.
const WORD_WIDTH: usize = 14;

/// An instant as people read it; one that can't be read stays as it is.
pub(super) fn time(instant: &str) -> String {
    instant.parse::<Instant>().map_or_else(|_| instant.to_owned(), |at| at.utc().format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A line of the timeline with what hangs below it.
struct Entry {
    at: String,
    word: String,
    text: String,
    below: Vec<String>,
}

/// The run, what it was started with, and its timeline.
pub(super) fn text(view: &RunView, width: usize) -> String {
    let width = width.max(WIDTH_MIN);
    let mut out = head(view, width);
    let entries = entries(view);
    if entries.is_empty() {
        out.push_str(if view.run.finished_at.is_some() { "\nits journal is no longer kept\n" } else { "\nno step yet\n" });
        return out;
    }
    out.push_str(&format!("\n{:<TIME_WIDTH$}  {:<WORD_WIDTH$}  what\n", "time (UTC)", ""));
    let indent = TIME_WIDTH + WORD_WIDTH + 4;
    for entry in &entries {
        let mut text = format!("{}  {:<WORD_WIDTH$}  ", entry.at, entry.word);
        text.push_str(&folded(&entry.text, width, indent));
        out.push_str(text.trim_end());
        out.push('\n');
        for line in &entry.below {
            out.push_str(&format!("{}{}\n", " ".repeat(indent), folded(line, width, indent)));
        }
    }
    out
}

fn head(view: &RunView, width: usize) -> String {
    let run = &view.run;
    let state = if run.cancelling { format!("{}, being cancelled", run.status) } else { run.status.to_string() };
    let mut facts = vec![("run", run.id.clone()), ("workflow", run.workflow.clone()), ("key", run.key.clone()), ("status", state)];
    if let Some(waiting_for) = &run.waiting_for {
        facts.push(("waits for", waiting_for.clone()));
    }
    if let Some(wake_at) = &run.wake_at {
        facts.push(("goes on at", format!("{} UTC at the latest", time(wake_at))));
    }
    if let Some(error) = &run.error {
        facts.push(("why", error.clone()));
    }
    facts.push(("started", format!("{} UTC", time(&run.created_at))));
    if let Some(finished_at) = &run.finished_at {
        facts.push(("ended", format!("{} UTC", time(finished_at))));
    }
    if let Some(parent) = &view.parent {
        facts.push(("started by", parent.clone()));
    }
    facts.push(("input", view.input.to_string()));
    if let Some(result) = &view.output {
        facts.push(("output", result.to_string()));
    }
    let indent = 12;
    facts.iter().map(|(name, value)| format!("{name:<indent$}{}\n", folded(value, width, indent))).collect()
}

/// Steps and events by time; of one instant, what happened to a step stands before how it ended.
fn entries(view: &RunView) -> Vec<Entry> {
    let of_event = |event: &EventView| (instant(&event.at), 0_u8, entry_of_event(event));
    let of_step = |step: &StepView| (instant(&step.at), 1_u8, entry_of_step(step));
    let of_signal = |signal: &durable::runs::SignalView| {
        (instant(&signal.at), 2_u8, entry(&signal.at, "unread", &format!("signal {}, id {}", signal.name, signal.id)))
    };
    let mut entries: Vec<(i64, u8, Entry)> = view.timeline.iter().map(of_event).collect();
    entries.extend(view.steps.iter().map(of_step));
    entries.extend(view.unconsumed_signals.iter().map(of_signal));
    entries.sort_by_key(|(at, order, _)| (*at, *order));
    entries.into_iter().map(|(.., entry)| entry).collect()
}

fn instant(text: &str) -> i64 {
    text.parse::<Instant>().map_or(i64::MAX, |at| at.0)
}

fn entry(at: &str, word: &str, text: &str) -> Entry {
    Entry { at: time(at), word: inert(word).into_owned(), text: text.to_owned(), below: Vec::new() }
}

fn entry_of_step(step: &StepView) -> Entry {
    let tries = if step.attempt > 1 { format!(" (attempt {})", step.attempt) } else { String::new() };
    let mut found = entry(&step.at, &step.outcome, &format!("{}{tries}", step.name));
    found.below.extend(step.error.clone());
    found
}

fn entry_of_event(event: &EventView) -> Entry {
    let mut words = Vec::new();
    words.extend(event.step.clone());
    words.extend(event.attempt.map(|attempt| format!("(attempt {attempt})")));
    words.extend(event.by.as_ref().map(|by| format!("by {by}")));
    let mut found = entry(&event.at, &event.kind, &words.join(" "));
    match &event.detail {
        Some(detail) if found.text.is_empty() => found.text.clone_from(detail),
        detail => found.below.extend(detail.clone()),
    }
    found
}

/// Text folded at spaces to a width, its later lines indented; without what a terminal would obey.
fn folded(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut now = String::new();
        for word in inert(line).split(' ') {
            let mut rest: Vec<char> = word.chars().collect();
            if !now.is_empty() && now.chars().count() + 1 + rest.len() > room {
                lines.push(std::mem::take(&mut now));
            } else if !now.is_empty() {
                now.push(' ');
            }
            // What has no space is cut.
            while rest.len() > room {
                let after = rest.split_off(room);
                lines.push(rest.into_iter().collect());
                rest = after;
            }
            now.extend(rest);
        }
        lines.push(now);
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use durable::RunStatus;
    use durable::runs::{RunLine, SignalView};
    use serde_json::json;

    use super::*;

    fn view() -> RunView {
        let step = |name: &str, attempt, outcome: &str, at: &str, error: Option<&str>| StepView {
            name: name.into(),
            attempt,
            outcome: outcome.into(),
            at: at.into(),
            error: error.map(str::to_owned),
        };
        let event = |at: &str, kind: &str, step: Option<&str>, attempt, by: Option<&str>, detail: &str| EventView {
            at: at.into(),
            kind: kind.into(),
            step: step.map(str::to_owned),
            attempt,
            by: by.map(str::to_owned),
            detail: Some(detail.into()),
        };
        let no_rate = "p 2026-04 can't be settled; nothing was posted:\nthere is no rate from EUR to USD on 2026-04-12, which invoice INV-1 needs";
        RunView {
            run: RunLine {
                id: "wfr_018bcfe5-6800-7000-8000-000000000000".into(),
                workflow: "settlement_run".into(),
                key: "p/2026-04".into(),
                status: RunStatus::Parked,
                waiting_for: None,
                wake_at: None,
                error: Some(no_rate.into()),
                cancelling: false,
                created_at: "2026-05-01T06:00:00Z".into(),
                finished_at: None,
            },
            version: 1,
            parent: None,
            input: json!({ "program": "p", "period": "2026-04" }),
            output: None,
            steps: vec![
                step("find open periods", 1, "done", "2026-05-01T06:00:00.250Z", None),
                step("rate 2026-04", 2, "retrying", "2026-05-01T06:00:01Z", Some("a\u{1b}[31mred")),
            ],
            unconsumed_signals: vec![SignalView { name: "look again".into(), id: "c1".into(), at: "2026-05-01T06:09:00Z".into() }],
            timeline: vec![
                event("2026-05-01T06:00:01.500Z", "attempt failed", Some("rate 2026-04"), Some(1), None, no_rate),
                event("2026-05-01T06:05:00Z", "retry", None, None, Some("op"), "the rates are in"),
            ],
        }
    }

    #[test]
    fn it_stands_in_order_and_fits_the_terminal() {
        for width in [80, 100] {
            let shown = text(&view(), width);
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{width}:\n{shown}");
            let place = |what: &str| shown.find(what).unwrap_or_else(|| panic!("{what} is missing:\n{shown}"));
            assert!(place("find open periods") < place("attempt failed"), "{shown}");
            assert!(place("attempt failed") < place("by op") && place("by op") < place("unread"), "{shown}");
            assert!(shown.contains("the rates are in") && shown.contains("2026-05-01 06:05:00"), "{shown}");
            assert!(!shown.contains('\u{1b}'), "{shown}");
        }
    }

    #[test]
    fn a_run_without_a_journal_says_so() {
        let mut empty = view();
        (empty.steps, empty.timeline, empty.unconsumed_signals) = (Vec::new(), Vec::new(), Vec::new());
        assert!(text(&empty, 80).ends_with("no step yet\n"));
        empty.run.finished_at = Some("2026-05-01T07:00:00Z".into());
        assert!(text(&empty, 80).ends_with("no longer kept\n"));
    }

    #[test]
    fn long_words_are_cut_and_words_are_kept() {
        assert_eq!(folded("one two three four five six", 24, 4), "one two three four\n    five six");
        assert_eq!(folded(&"x".repeat(45), 24, 4), format!("{0}\n    {0}\n    xxxxx", "x".repeat(20)));
        assert_eq!(folded("", 80, 4), "");
    }
}
