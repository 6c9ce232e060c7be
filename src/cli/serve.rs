//! `serve`: the unattended part, until it is told to stop.

use std::net::SocketAddr;

use books::connection::Books;
use books::explain::text::inert;
use durable::schedules;
use program::calendar::Instant;

use super::{At, CliError, with_causes};
use crate::service::Running;

pub(crate) async fn run(at: &At) -> Result<(), CliError> {
    let config = at.configuration()?;
    // Who starts it may stop it as soon as it says that it listens.
    let asked = asked_to_stop().map_err(|error| CliError::Failed(format!("signals can't be heard: {error}")))?;
    let books = super::open(config.database.url.expose()).await?;
    let started = config.clock.start.unwrap_or(at.now);
    crate::instance::check(&books, config.database.url.expose(), started).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    let running = Running::start(books.clone(), config).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    tell(at, &books, started, running.address).await?;
    let was_asked = running.until(asked).await.map_err(|error| CliError::Failed(with_causes(&error)))?;
    if was_asked { Ok(()) } else { Err(CliError::Failed("the service had to stop; its log says why".into())) }
}

/// What it listens on, and when each schedule fires next.
pub(super) async fn tell(at: &At, books: &Books, now: Instant, address: SocketAddr) -> Result<(), CliError> {
    let lines = schedules::list(books.read(), durable::Instant(now.0), crate::schedules::behind)
        .await
        .map_err(|error| CliError::Failed(with_causes(&error)))?;
    if at.json {
        let schedules = serde_json::to_value(&lines).map_err(|error| CliError::Failed(error.to_string()))?;
        println!("{}", serde_json::json!({ "listening": address.to_string(), "schedules": schedules }));
        return Ok(());
    }
    println!("tributary {} listens on http://{}", env!("CARGO_PKG_VERSION"), address);
    for line in &lines {
        let next = line.next_at.as_deref().unwrap_or("never");
        let waits = line.waits_for.as_ref().map(|open| format!("  (waits for {})", inert(open)));
        let state = if line.paused.is_some() { "  (paused)" } else { waits.as_deref().unwrap_or_default() };
        println!("  {:<34} next {next}  {}{state}", line.id, line.zone);
    }
    Ok(())
}

/// Ctrl-C, or what a service manager sends: heard from this call on, whenever the future is waited for.
pub(super) fn asked_to_stop() -> std::io::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! { _ = interrupted.recv() => {}, _ = terminated.recv() => {} }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
