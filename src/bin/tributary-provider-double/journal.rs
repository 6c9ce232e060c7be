//! An append-only file, one JSON document a line, on disk before anything is answered.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A request came in, whatever became of it.
    Request { at: String, key: String, payout: String, amount: String, currency: String, body_digest: String },
    /// A key was seen for the first time.
    Taken { key: String, payout: String, amount: String, currency: String, body_digest: String, provider_id: String },
    /// The money moved: the effect.
    Paid { key: String, amount: String, currency: String },
    /// It did not, or came back.
    Failed { key: String, reason: String },
    /// Our word was sent.
    Called { id: String, r#type: String, payout: String, status: Option<u16> },
}

#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file and gives what is in it. A last line that was cut off by a kill is nothing that was answered, and is removed.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Event>)> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut reader = BufReader::new(&file);
        let (mut events, mut good_bytes, mut line) = (Vec::new(), 0, Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.last() != Some(&b'\n') {
                file.set_len(good_bytes)?;
                break;
            }
            events.push(serde_json::from_slice(&line)?);
            good_bytes += u64::try_from(line.len()).map_err(io::Error::other)?;
            line.clear();
        }
        Ok((Self { file }, events))
    }

    pub(crate) fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}
