//! The service: wires books, engine, processes, adapters, actors and HTTP from the configuration, and ends them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use books::audit::seal;
use books::connection::Books;
use durable::{Clock, Database, Engine, EngineError, Options, Registry};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use workflows::ports::PayoutPort;
use workflows::{CertificationNotices, LotExpiry, MdfClaim, PayoutRun, Recertification, SettlementRun};

use crate::actors::{Desk, DeskError, Service, Shared, SuperviseError};
use crate::adapters::outbound::OutboundError;
use crate::adapters::payout_manual::ManualPayouts;
use crate::adapters::payout_pain001::Pain001Payouts;
use crate::adapters::payout_webhook::WebhookPayouts;
use crate::approvals::Approvals;
use crate::approvals::pages::PageError;
use crate::config::{Config, PayoutAdapter};
use crate::http::decisions::DecisionWebhooks;
use crate::http::facts::FactWebhooks;
use crate::http::metrics::{Metrics, MetricsError};
use crate::http::payouts::PayoutWebhooks;
use crate::http::{self, Readiness, ServeError};
use crate::inbound::Inbound;
use crate::inbound_decisions::Decisions;
use crate::inbound_facts::Facts;
use crate::letters::{Postman, PostmanError};
use crate::payout_limits;
use crate::{clock, crash_point};

/// A service that can't be started, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The way to the provider can't be set up.
    #[error("the way to the payment provider can't be set up")]
    Provider(#[from] OutboundError),
    /// Mail or statements can't be set up.
    #[error(transparent)]
    Postman(#[from] PostmanError),
    /// The partners' desk.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The engine.
    #[error("the engine of the runs can't be started")]
    Engine(#[from] EngineError),
    /// The actors.
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    /// The pages.
    #[error(transparent)]
    Pages(#[from] PageError),
    /// Measurements.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The address is taken or not this machine's.
    #[error("{address} can't be listened on; set server.listen, or stop what listens there")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// HTTP.
    #[error(transparent)]
    Http(#[from] ServeError),
}

/// Who pays, as configured; `reports` where the provider's own messages are believed.
///
/// # Errors
/// [`ServiceError::Provider`].
pub fn provider(adapter: PayoutAdapter, reports: bool) -> Result<Arc<dyn PayoutPort>, ServiceError> {
    Ok(match adapter {
        PayoutAdapter::Manual => Arc::new(ManualPayouts),
        PayoutAdapter::Webhook(provider) => Arc::new(WebhookPayouts::new(provider, reports)?),
        PayoutAdapter::Pain001(_) => Arc::new(Pain001Payouts),
    })
}

/// All processes, over what they need.
#[must_use]
pub fn registry(books: &Books, desk: &Desk, provider: &Arc<dyn PayoutPort>, config: &Config, clock: &Arc<dyn Clock>) -> Registry {
    let (books, clock) = (books.clone(), || Arc::clone(clock));
    let limits = payout_limits::limits(&config.payouts.holds);
    let payouts = || PayoutRun { books: books.clone(), provider: Arc::clone(provider), limits: limits.clone(), clock: clock() };
    Registry::new()
        .with(SettlementRun { books: books.clone(), partners: Arc::new(desk.clone()), clock: clock() })
        .with(payouts())
        .with(MdfClaim { payouts: payouts() })
        .with(Recertification { clock: clock() })
        .with(LotExpiry { clock: clock() })
        .with(CertificationNotices { clock: clock() })
}

/// A service that listens.
pub struct Running {
    shared: Shared,
    actors: Service,
    listener: TcpListener,
    http: http::Service,
    shutdown_limit: Duration,
    /// Where it listens.
    pub address: SocketAddr,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Running {
    /// Starts everything.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn start(books: Books, mut config: Config) -> Result<Self, ServiceError> {
        let clock: Arc<dyn Clock> = Arc::new(clock::Running::from(config.clock.start));
        let adapter = std::mem::replace(&mut config.payouts.adapter, PayoutAdapter::Manual);
        let provider = provider(adapter, config.webhooks.payouts.is_some())?;
        let address = config.server.listen;
        let listener = TcpListener::bind(address).await.map_err(|source| ServiceError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| ServiceError::Listen { address, source })?;
        let desk = Desk::open(books.clone(), Arc::clone(&clock)).await?;
        let registry = registry(&books, &desk, &provider, &config, &clock);
        let probe = crash_point::from_environment();
        let options = Options { lease: config.workflows.lease, clock: Arc::clone(&clock), probe, ..Options::new(node(&config)) };
        let database = Database::new(books.write().clone(), books.read().clone());
        let engine = Engine::open(database, registry, options).await?;
        for orphan in engine.orphans() {
            tracing::warn!(run = %orphan.run, workflow = orphan.workflow, version = orphan.version, reason = orphan.reason, "run.orphaned");
        }
        let postman = Arc::new(Postman::new(&config.mail, &config.statements)?.linking_to(config.server.public_url.clone()));
        let stop = CancellationToken::new();
        let shared =
            Shared { books: books.clone(), engine: engine.clone(), clock: Arc::clone(&clock), postman, workers: config.workflows.workers, stop };
        let facts = FactWebhooks {
            keys: config.webhooks.facts,
            stripe: config.webhooks.stripe,
            stripe_test_mode: config.webhooks.stripe_test_mode,
            tolerance: config.webhooks.tolerance,
            now_s: clock::wall_seconds,
            inbound: Arc::new(Facts::new(books.clone(), Arc::clone(&clock))),
        };
        let (files_url, public_url) = (std::mem::take(&mut config.files.url), config.server.public_url.clone());
        let desk_of_approvals = Approvals::new(books.clone(), engine.clone(), Arc::clone(&clock), files_url, public_url)?;
        let http = http::Service {
            readiness: Arc::new(Ready { books: books.clone(), engine: engine.clone(), stop: shared.stop.clone() }),
            metrics: Metrics::start()?,
            approvals: Some(Arc::new(desk_of_approvals)),
            decisions: config.webhooks.decisions.map(|keys| DecisionWebhooks {
                keys,
                tolerance: config.webhooks.tolerance,
                now_s: clock::wall_seconds,
                inbound: Arc::new(Decisions { books: books.clone(), engine: engine.clone(), clock: Arc::clone(&clock) }),
            }),
            payouts: config.webhooks.payouts.map(|keys| PayoutWebhooks {
                keys,
                tolerance: config.webhooks.tolerance,
                now_s: clock::wall_seconds,
                inbound: Arc::new(Inbound { books, engine, clock }),
            }),
            facts,
            request_limit: config.server.request_limit,
            shutdown_limit: config.server.shutdown_limit,
        };
        let actors = Service::start(shared.clone()).await?;
        Ok(Self { shared, actors, listener, http, shutdown_limit: config.server.shutdown_limit, address })
    }

    /// Works until `asked` to stop, or until it can't go on; then ends everything within the limit. Whether it ended because it was asked.
    ///
    /// # Errors
    /// [`ServiceError::Http`].
    pub async fn until(self, asked: impl Future<Output = ()> + Send) -> Result<bool, ServiceError> {
        let (stop, stopping) = (self.shared.stop.clone(), self.shared.stop.clone());
        let asked_first = async {
            tokio::select! {
                () = asked => true,
                () = stop.cancelled() => false,
            }
        };
        let (was_asked, told) = tokio::sync::oneshot::channel();
        let shutdown = async move {
            let was = asked_first.await;
            // While the last requests end, nothing new is begun; both have the one limit.
            stopping.cancel();
            // Nobody listens any more only where HTTP itself has failed.
            let _ = was_asked.send((was, Instant::now()));
        };
        let served = http::serve(self.listener, self.http, shutdown).await;
        let (was_asked, since) = told.await.unwrap_or_else(|_| (false, Instant::now()));
        self.actors.end(&self.shared, self.shutdown_limit.saturating_sub(since.elapsed())).await;
        // What was done last is in the chain, too: nobody may come after it for a long time.
        if let Err(error) = seal::seal_all(&self.shared.books, self.shared.now()).await {
            tracing::warn!(error = crate::cli::with_causes(&error), "service.audit_not_sealed");
        }
        if let Err(error) = self.shared.engine.leave().await {
            // Its lease runs out by itself.
            tracing::warn!(error = crate::cli::with_causes(&error), "service.lease_kept");
        }
        served?;
        Ok(was_asked)
    }
}

/// The node's name: one service a database file, one an address on a shared server.
fn node(config: &Config) -> String {
    if config.database.url.expose().starts_with("sqlite:") {
        return "serve".into();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("serve {} {}", host.trim(), config.server.listen)
}

/// How long a look at the database may take.
const LOOK_MAX: Duration = Duration::from_secs(5);

struct Ready {
    books: Books,
    engine: Engine,
    stop: CancellationToken,
}

impl Readiness for Ready {
    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        async move {
            if self.stop.is_cancelled() {
                return Err("the service is stopping".into());
            }
            let silent = self.engine.since_renewal();
            if silent > self.engine.options().lease {
                return Err(format!("the service has committed nothing for {} s", silent.as_secs()));
            }
            // A writer that can't write answers questions all the same.
            let written = async {
                self.books.read().ping().await?;
                self.books.begin_write().await?.rollback().await
            };
            match tokio::time::timeout(LOOK_MAX, written).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err("the database does not answer".into()),
                Err(_) => Err("the database does not answer in time, or can't be written".into()),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use program::bank_file::Debtor;

    use super::*;
    use crate::config::Pain001;

    #[test]
    fn every_adapter_of_the_configuration_is_served() {
        let debtor = Debtor::new("Vendor", "DE89370400440532013000", "COBADEFFXXX").expect("a debtor");
        let account = Pain001 { debtor, directory: "pain001".into() };
        for (adapter, name) in [(PayoutAdapter::Manual, "manual"), (PayoutAdapter::Pain001(account), "pain001")] {
            assert_eq!(provider(adapter, false).expect("an adapter").capabilities().adapter, name);
        }
    }
}
