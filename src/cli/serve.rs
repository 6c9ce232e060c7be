//! `serve`: the unattended part, until it is told to stop.

use std::path::PathBuf;

use clap::Args;
use durable::schedules;

use super::{At, CliError, with_causes};
use crate::config::Config;
use crate::service::Running;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration; without it `tributary.toml` in the working directory, if there is one
    #[arg(long)]
    pub(super) config: Option<PathBuf>,
}

pub(crate) async fn run(at: &At, database: Option<String>, args: ServeArgs) -> Result<(), CliError> {
    let mut config = Config::load(args.config.as_deref()).map_err(|errors| CliError::Places(errors.to_string()))?;
    if let Some(url) = database {
        config.database.url = crate::config::Secret::new(url);
    }
    let books = crate::app::open(config.database.url.expose()).await?;
    let started = config.clock.start.unwrap_or(at.now);
    crate::instance::check(&books, config.database.url.expose(), started).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    let running = Running::start(books.clone(), config).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    tell(at, &books, &running).await?;
    let was_asked = running.until(asked_to_stop()).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    if was_asked { Ok(()) } else { Err(CliError::Failed("the service had to stop; its log says why".into())) }
}

/// What it listens on, and when each schedule fires next.
async fn tell(at: &At, books: &books::connection::Books, running: &Running) -> Result<(), CliError> {
    let lines = schedules::list(books.read()).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    if at.json {
        let schedules = serde_json::to_value(&lines).map_err(|error| CliError::Failed(error.to_string()))?;
        println!("{}", serde_json::json!({ "listening": running.address.to_string(), "schedules": schedules }));
        return Ok(());
    }
    println!("tributary {} listens on http://{}", env!("CARGO_PKG_VERSION"), running.address);
    for line in &lines {
        let next = line.next_at.as_deref().unwrap_or("never");
        let state = if line.paused.is_some() { "  (paused)" } else { "" };
        println!("  {:<34} next {next}  {}{state}", line.id, line.zone);
    }
    Ok(())
}

/// Ctrl-C, or what a service manager sends.
async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let terminated = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending::<()>().await,
            }
        };
        tokio::select! { () = interrupted => {}, () = terminated => {} }
    }
    #[cfg(not(unix))]
    interrupted.await;
}
