//! The journal of one execution in memory: what was done before, and whether the code still asks for it.

use std::collections::{HashMap, HashSet};

use crate::json::NAME_BYTES_MAX;

/// What kind of step a journal row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tx,
    Step,
    Now,
    Random,
    Sleep,
    Signal,
    Start,
    Join,
    Version,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tx => "tx",
            Self::Step => "step",
            Self::Now => "now",
            Self::Random => "random",
            Self::Sleep => "sleep",
            Self::Signal => "signal",
            Self::Start => "start",
            Self::Join => "join",
            Self::Version => "version",
        }
    }
}

/// A row of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) ordinal: i64,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) attempt: i64,
    pub(crate) outcome: String,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) request_digest: Option<String>,
}

/// Whether the code goes forward or undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Forward,
    Undo,
}

/// What the journal says about a step that the code asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// It is finished; this is its row.
    Finished(Row),
    /// It was begun; this is its row.
    Begun(Row),
    /// It is new; this is its place.
    New(i64),
}

/// What begins with this is done by the engine, to undo.
pub(crate) const UNDO: &str = "undo ";

/// The journal of one execution.
#[derive(Debug)]
pub(crate) struct Journal {
    rows: Vec<Row>,
    by_name: HashMap<String, usize>,
    met: Vec<bool>,
    used: HashSet<String>,
    phase: Phase,
    cancelling: bool,
}

impl Journal {
    /// Of a run that is `cancelling`, the code asks for what is new where the run was stopped, also when it was undone before this execution.
    pub(crate) fn new(rows: Vec<Row>, cancelling: bool) -> Self {
        let by_name = rows.iter().enumerate().map(|(index, row)| (row.name.clone(), index)).collect();
        Self { met: vec![false; rows.len()], by_name, rows, used: HashSet::new(), phase: Phase::Forward, cancelling }
    }

    /// From now on steps are asked for to undo.
    pub(crate) fn undo(&mut self) {
        self.phase = Phase::Undo;
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Finds a step by its name. The error says what does not fit.
    pub(crate) fn enter(&mut self, name: &str, kind: Kind) -> Result<Entered, String> {
        self.use_name(name)?;
        if let Some(&index) = self.by_name.get(name) {
            if let Some(met) = self.met.get_mut(index) {
                *met = true;
            }
            let row = self.rows.get(index).cloned().unwrap_or_default();
            if row.kind != kind.as_str() {
                return Err(format!("the code asks for {name:?} as a step of kind {:?}, the journal has it as {:?}", kind.as_str(), row.kind));
            }
            let finished = matches!(row.outcome.as_str(), "done" | "unknown" | "failed");
            return Ok(if finished { Entered::Finished(row) } else { Entered::Begun(row) });
        }
        if let Some(ahead) = self.ahead() {
            return Err(format!("the code asks for step {name:?}, which is new, while step {ahead:?} of the journal is still ahead"));
        }
        if self.phase == Phase::Forward
            && !self.cancelling
            && let Some(undone) = self.rows.iter().find(|row| row.name.starts_with(UNDO))
        {
            return Err(format!("the code asks for step {name:?}, which is new, after the run has done {:?}", undone.name));
        }
        Ok(Entered::New(self.next_ordinal()))
    }

    /// Takes a name for use in this execution.
    pub(crate) fn use_name(&mut self, name: &str) -> Result<(), String> {
        let undoing = self.phase == Phase::Undo;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || (name.starts_with(UNDO) != undoing) {
            let start: String = name.chars().take(40).collect();
            return Err(format!("a step can't be called {start:?}: a name has 1 to {NAME_BYTES_MAX} bytes and does not start with {UNDO:?}"));
        }
        if self.used.insert(name.to_owned()) { Ok(()) } else { Err(format!("the code uses the name {name:?} twice; add a business key to it")) }
    }

    /// Whether a step of this name is journaled.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A journaled step that the code has not asked for yet.
    pub(crate) fn ahead(&self) -> Option<&str> {
        let forward = self.rows.iter().zip(&self.met).filter(|(row, _)| !row.name.starts_with(UNDO));
        let ahead = forward.filter(|(_, met)| !**met).map(|(row, _)| row.name.as_str()).next();
        ahead.filter(|_| self.phase == Phase::Forward)
    }

    /// Keeps what was just written.
    pub(crate) fn keep(&mut self, row: Row) {
        if let Some(&index) = self.by_name.get(&row.name) {
            if let Some(place) = self.rows.get_mut(index) {
                *place = row;
            }
            return;
        }
        self.by_name.insert(row.name.clone(), self.rows.len());
        self.rows.push(row);
        self.met.push(true);
    }

    fn next_ordinal(&self) -> i64 {
        self.rows.last().map_or(0, |row| row.ordinal) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ordinal: i64, name: &str, outcome: &str) -> Row {
        Row { ordinal, name: name.into(), kind: "tx".into(), attempt: 1, outcome: outcome.into(), ..Row::default() }
    }

    #[test]
    fn what_is_journaled_is_found_by_name_in_any_order() {
        let mut journal = Journal::new(vec![row(1, "a", "done"), row(2, "b", "done")], false);
        assert!(matches!(journal.enter("b", Kind::Tx), Ok(Entered::Finished(found)) if found.ordinal == 2));
        assert_eq!(journal.ahead(), Some("a"));
        assert!(matches!(journal.enter("a", Kind::Tx), Ok(Entered::Finished(_))));
        assert_eq!(journal.enter("c", Kind::Tx), Ok(Entered::New(3)));
    }

    #[test]
    fn a_new_step_before_journaled_ones_names_both() {
        let mut journal = Journal::new(vec![row(1, "a", "done")], false);
        let error = journal.enter("b", Kind::Tx).unwrap_err();
        assert!(error.contains("\"a\"") && error.contains("\"b\""), "{error}");
    }

    #[test]
    fn a_name_is_used_once_and_fits() {
        let mut journal = Journal::new(Vec::new(), false);
        journal.enter("a", Kind::Tx).unwrap();
        assert!(journal.enter("a", Kind::Tx).unwrap_err().contains("twice"));
        for wrong in ["", "undo a", &"x".repeat(129)] {
            assert!(journal.enter(wrong, Kind::Tx).is_err(), "{wrong}");
        }
    }

    #[test]
    fn undone_runs_do_nothing_new() {
        let rows = || vec![row(1, "a", "done"), row(2, "undo a", "done")];
        let mut cancelled = Journal::new(rows(), true);
        cancelled.enter("a", Kind::Tx).unwrap();
        assert_eq!(cancelled.enter("b", Kind::Tx), Ok(Entered::New(3)), "it is stopped there once more");
        let mut journal = Journal::new(rows(), false);
        journal.enter("a", Kind::Tx).unwrap();
        assert!(journal.enter("b", Kind::Tx).unwrap_err().contains("undo a"));
        journal.undo();
        assert!(matches!(journal.enter("undo a", Kind::Tx), Ok(Entered::Finished(_))));
    }
}
