//! A service in this process: the engine with the product's workflows on the database of an [`App`], beside the binary's commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use books::connection::Books;
use books::payouts::limits::Limits;
use books::settlement::SettleError;
use books::settlement::run::{self, Parked};
use durable::clock::ManualClock;
use durable::host::{self, HostOptions};
use durable::{Database, Engine, Options, Registry};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use program::calendar::Period;
use program::line::Text;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use workflows::ports::{Partners, PayoutPort};
use workflows::{CertificationNotices, LotExpiry, PayoutRun, Recertification, SettlementRun};

use crate::app::App;
use crate::library::{RUNTIME, day, open};

/// No condition of a test takes longer.
const LIMIT: Duration = Duration::from_mins(1);

/// Finishes payees one after the other, without actors.
struct Plain {
    books: Books,
}

impl Partners for Plain {
    fn finish<'a>(&'a self, program: &'a str, period: Period, payees: Vec<Text>) -> BoxFuture<'a, Result<Vec<Parked>, SettleError>> {
        async move { run::finish_payees(&self.books, program, period, &payees, day(0)).await }.boxed()
    }
}

/// A service that runs; it is gone when it is dropped, and its lease runs on.
pub(crate) struct Hosted {
    engine: Engine,
    books: Books,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Hosted {
    /// Starts one that pays through `provider`; its clock stands where that of the commands does.
    pub(crate) fn start(app: &App, provider: Arc<dyn PayoutPort>) -> Self {
        Self::start_with(app, provider, Limits::default())
    }

    /// As [`Hosted::start`], with caps.
    pub(crate) fn start_with(app: &App, provider: Arc<dyn PayoutPort>, limits: Limits) -> Self {
        RUNTIME.block_on(async {
            let books = open(&app.url()).await;
            let clock: Arc<ManualClock> = Arc::new(ManualClock::at(durable::Instant(day(0).0)));
            let registry = Registry::new()
                .with(SettlementRun { books: books.clone(), partners: Arc::new(Plain { books: books.clone() }), clock: clock.clone() })
                .with(PayoutRun { books: books.clone(), provider, limits, clock: clock.clone() })
                .with(Recertification { clock: clock.clone() })
                .with(LotExpiry { clock: clock.clone() })
                .with(CertificationNotices { clock: clock.clone() });
            let database = Database::new(books.write().clone(), books.read().clone());
            let options = Options { clock, ..Options::new("one") };
            let engine = Engine::open(database, registry, options).await.expect("the engine starts");
            let (stop, stopped) = oneshot::channel::<()>();
            let hosted = engine.clone();
            let served = tokio::spawn(async move {
                let shutdown = async {
                    let _ = stopped.await;
                };
                host::serve(&hosted, HostOptions { poll: Duration::from_millis(50), ..HostOptions::default() }, shutdown)
                    .await
                    .expect("it is not replaced");
            });
            Self { engine, books, stop: Some(stop), served: Some(served) }
        })
    }

    /// Stops it in order: its lease ends.
    pub(crate) fn stop(mut self) {
        let (stop, served) = (self.stop.take().expect("it runs"), self.served.take().expect("it runs"));
        stop.send(()).expect("it runs");
        RUNTIME.block_on(async {
            served.await.expect("it ends well");
            self.engine.leave().await.expect("its lease ends");
            self.books.read().clone().close().await.expect("the database closes");
            self.books.write().clone().close().await.expect("the database closes");
        });
    }
}

/// Waits until a condition holds, which may run commands and look into the database.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "{what} within {LIMIT:?}");
        RUNTIME.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
    }
}
