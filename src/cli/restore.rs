//! `restore`: brings a backup in place, or marks what was restored by other tools.

use std::path::PathBuf;

use books::explain::text::inert;
use clap::Args;
use serde_json::json;

use super::{At, CliError, output};
use crate::restore::{self, Restored};

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup: a SQLite file, which stays as it is; a log beside it (FILE-wal) is taken, too
    #[arg(required_unless_present = "generation", conflicts_with = "generation")]
    file: Option<PathBuf>,
    /// Move the database that is in the place aside (FILE.before-GENERATION)
    #[arg(long, requires = "file")]
    replace: bool,
    /// Mark the database as it stands: PostgreSQL after its own restore, or a SQLite file that was copied by hand
    #[arg(long)]
    generation: bool,
}

pub(crate) async fn run(at: &At, args: &RestoreArgs) -> Result<(), CliError> {
    let Restored { instance, aside } = match &args.file {
        Some(file) => restore::from_file(&at.url()?, file, args.replace, at.now).await?,
        None => restore::in_place(&at.url()?, at.now).await?,
    };
    if at.json {
        let document = json!({
            "database": instance.database, "generation": instance.generation, "payouts_paused": true,
            "replaced": aside.map(|aside| aside.display().to_string()),
        });
        return output::json(&document);
    }
    let mut text = format!("the database is restored as generation {}\n", instance.generation);
    if let Some(aside) = aside {
        text.push_str(&format!("what was there before is {}\n", inert(&aside.display().to_string())));
    }
    text.push_str(
        "payouts are paused until `payout reconcile` has ended with nothing open\n\
         it asks about the payouts that the backup knows; look at the provider's own list for those that were made after it\n",
    );
    output::text(&text)
}
