//! `recertify`: the quarterly review.

use books::review;
use clap::Args;
use program::calendar::Date;

use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct RecertifyArgs {
    /// The programme
    #[arg(long)]
    program: String,
    /// The day of the review
    #[arg(long, value_parser = super::program::date)]
    as_of: Date,
    /// Compute only; nothing is stored
    #[arg(long)]
    preview: bool,
}

pub(crate) async fn run(at: &At, args: RecertifyArgs) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let result = async {
        let reviewed = if args.preview {
            review::preview(&tx, &args.program, args.as_of, at.now).await?
        } else {
            review::review(&tx, &args.program, args.as_of, at.now).await?
        };
        let json = review::json(&tx, &args.program, args.as_of, &reviewed).await?;
        Ok::<_, CliError>((reviewed, json))
    }
    .await;
    let (reviewed, json) = match result {
        Ok(result) if !args.preview => {
            tx.commit().await?;
            result
        }
        other => {
            tx.rollback().await?;
            other?
        }
    };
    if at.json {
        return output::json(&json);
    }
    let rows: Vec<Vec<String>> = reviewed
        .iter()
        .zip(json["reviews"].as_array().into_iter().flatten())
        .map(|(r, j)| {
            vec![
                r.partner.to_string(),
                r.tier.to_string(),
                j["t12m"].as_str().unwrap_or_default().to_owned(),
                r.earned.to_string(),
                r.outcome.clone(),
                r.new_tier.to_string(),
                r.misses.to_string(),
            ]
        })
        .collect();
    output::text(&output::table(
        &["partner", "tier", "T12M", "earned", "outcome", "new tier", "misses"],
        &[false, false, true, false, false, false, true],
        &rows,
    ))
}
