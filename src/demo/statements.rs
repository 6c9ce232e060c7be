//! Writes the statements of months as PDF, side by side.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use books::connection::Books;
use program::calendar::Period;
use program::programme::Programme;
use program::statement::Statement;

use super::directory::Directory;
use super::{DemoError, Progress, STATEMENT_STEPS};
use crate::statement_pdf::{self, Look, StatementError};

/// Writes `statements/<period>/<partner>.pdf` for every settlement of some months and says how many they are; in another currency than the
/// programme's the name ends with it.
pub(crate) async fn write(
    directory: &Directory,
    books: &Books,
    programme: &Programme,
    months: &[Period],
    progress: &Progress,
) -> Result<usize, DemoError> {
    let mut statements = Vec::new();
    let tx = books.begin_read().await?;
    for &period in months {
        let settlements = books::statements::of_period(&tx, &programme.id, period).await?;
        statements.extend(statement_pdf::models(&tx, &programme.id, &settlements).await?);
    }
    tx.rollback().await?;
    let folder = directory.join("statements");
    for period in months {
        let path = folder.join(period.to_string());
        std::fs::create_dir_all(&path).map_err(|source| DemoError::Write { path, source })?;
    }
    let count = statements.len();
    let (home, bar) = (programme.currency.code().to_owned(), progress.bar.clone());
    bar.set_message("statements");
    // They are a fixed part of the whole, so that the bar never goes back.
    let (all, done) = (u64::try_from(count).unwrap_or(u64::MAX).max(1), AtomicU64::new(0));
    let work = move || {
        let typesetter = Look::default().typesetter()?;
        statement_pdf::set_all(&typesetter, &statements, &|statement, typeset| {
            let before = done.fetch_add(1, Ordering::Relaxed);
            bar.inc((before + 1) * STATEMENT_STEPS / all - before * STATEMENT_STEPS / all);
            statement_pdf::write(&file(&folder, statement, &home), typeset)
        })
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| StatementError::Stopped)??;
    Ok(count)
}

fn file(folder: &Path, statement: &Statement, home: &str) -> std::path::PathBuf {
    let Statement { partner, period, currency, .. } = statement;
    let name = if currency == home { format!("{}.pdf", partner.id) } else { format!("{}-{currency}.pdf", partner.id) };
    folder.join(period).join(name)
}
