//! Connections: so many at once, none that says nothing for ever, and a stop that waits, but not for ever.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;
/// How long the head of a request may take.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_MAX_BYTES: usize = 64 << 10;
/// Between two tries to accept where the system has no room.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// The socket is broken.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The room for connections is gone.
    #[error("no more connections can be taken")]
    NoRoom,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were still at work at the limit, and were cut.
    pub cut: usize,
}

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
    shutdown_limit: Duration,
) -> Result<Stopped, ServeError> {
    let (room, graceful) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), GracefulShutdown::new());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let permit = tokio::select! {
            () = &mut shutdown => break,
            permit = room.clone().acquire_owned() => permit.map_err(|_| ServeError::NoRoom)?,
        };
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => take(&mut connections, stream, permit, &router, &graceful),
                Err(error) => wait_for_room(&error).await,
            },
        }
        while connections.try_join_next().is_some() {}
    }
    // Nobody new is taken from here on.
    drop(listener);
    let _ = tokio::time::timeout(shutdown_limit, graceful.shutdown()).await;
    while connections.try_join_next().is_some() {}
    let cut = connections.len();
    connections.shutdown().await;
    Ok(Stopped { cut })
}

fn take(connections: &mut JoinSet<()>, stream: TcpStream, permit: OwnedSemaphorePermit, router: &Router, graceful: &GracefulShutdown) {
    let service = TowerToHyperService::new(router.clone());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_MAX_BYTES).half_close(false);
    let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
    connections.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "http.connection_ended");
        }
        drop(permit);
    });
}

/// Errors of accepting are of one connection, or of a system that has no room for more: neither ends the service.
async fn wait_for_room(error: &io::Error) {
    tracing::warn!(%error, "http.not_accepted");
    tokio::time::sleep(NO_ROOM_PAUSE).await;
}
