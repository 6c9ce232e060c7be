//! Pays the last month: the real service runs on the demo's books, asks a provider in another process, and writes the mails.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant as Stopwatch};

use books::audit::seal;
use books::connection::Books;
use books::load::row::{LoadError, first_row, rows};
use durable::runs;
use program::calendar::{Instant, Period};
use program::money::Currency;
use sea_orm::DatabaseTransaction;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use workflows::SettlementRun;
use workflows::letters::TOPIC;
use workflows::settlement_run::SettlementInput;

use super::claims::Claims;
use super::directory::Directory;
use super::double::Double;
use super::{DemoError, Progress};
use crate::config::Config;
use crate::counted::counted;
use crate::service::{Running, ServiceError};

/// How long all payouts and letters of the month may take.
const LIMIT: Duration = Duration::from_mins(3);
/// How often it is looked whether they are done.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Who the mails are from.
const FROM: &str = "Partner finance <finance@vendor.example>";

/// A month that was paid.
#[derive(Debug)]
pub(crate) struct Payment {
    /// Which.
    pub(crate) period: Period,
    /// Payouts that are paid.
    pub(crate) paid: usize,
    /// What they add up to.
    pub(crate) paid_minor: BTreeMap<Currency, i64>,
    /// Payouts that wait for a person.
    pub(crate) held: Vec<Held>,
    /// Letters that were written, by what they are about.
    pub(crate) letters: BTreeMap<String, usize>,
    /// Requests that the provider had.
    pub(crate) requests: usize,
    /// How often it has paid.
    pub(crate) payments: usize,
    /// Payouts whose answer was lost, and that were looked up.
    pub(crate) looked_up: usize,
    /// Claims on the co-op fund, where a wallet has enough for one.
    pub(crate) claims: Option<Claims>,
}

/// A payout that waits for a person.
#[derive(Debug)]
pub(crate) struct Held {
    /// Whose.
    pub(crate) partner: String,
    /// In which currency.
    pub(crate) currency: Currency,
    /// How much.
    pub(crate) amount_minor: i64,
    /// Why.
    pub(crate) reason: String,
}

/// The service on a demo's books, with its provider.
#[derive(Debug)]
pub(crate) struct Hosted {
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<bool, ServiceError>>,
    /// Where it listens.
    pub(crate) address: std::net::SocketAddr,
    /// Where its clock was started.
    pub(crate) clock: Instant,
    /// By this process's clock.
    started: Stopwatch,
    double: Double,
}

impl Hosted {
    /// Starts the provider and the service, whose clock begins at `now`.
    ///
    /// # Errors
    /// Either can't be started.
    pub(super) async fn start(double: &Path, directory: &Directory, books: &Books, now: Instant) -> Result<Self, DemoError> {
        let double = Double::start(double, &directory.provider_journal()).await?;
        let running = Running::start(books.clone(), config(directory, &double, now)?).await?;
        let address = running.address;
        let (stop, stopped) = oneshot::channel();
        let asked = async {
            // Where the sender is gone, nobody needs the service any more.
            let _ = stopped.await;
        };
        Ok(Self { stop, served: tokio::spawn(running.until(asked)), address, clock: now, started: Stopwatch::now(), double })
    }

    /// What time it is for the service.
    pub(crate) fn now(&self) -> Instant {
        Instant(self.clock.0.saturating_add(i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)))
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&self) -> bool {
        self.served.is_finished()
    }

    /// Who pays.
    pub(super) fn provider(&self) -> &Double {
        &self.double
    }

    /// Ends the service, then the provider.
    ///
    /// # Errors
    /// The service failed.
    pub(crate) async fn end(self) -> Result<(), DemoError> {
        // Where it has ended by itself, its result says why.
        let _ = self.stop.send(());
        let was_asked = self.served.await.map_err(|_| DemoError::Stopped)??;
        if was_asked { Ok(()) } else { Err(DemoError::Stopped) }
    }

    /// Works until `asked` to stop, or until it can't go on.
    ///
    /// # Errors
    /// The service failed.
    pub(crate) async fn until(mut self, asked: impl Future<Output = ()> + Send) -> Result<(), DemoError> {
        tokio::select! {
            () = asked => self.end().await,
            served = &mut self.served => {
                served.map_err(|_| DemoError::Stopped)??;
                Err(DemoError::Stopped)
            }
        }
    }
}

/// The built-in defaults, a provider on this machine, mails into the demo's directory; nothing of the environment.
pub(super) fn config(directory: &Directory, double: &Double, now: Instant) -> Result<Config, DemoError> {
    let variables = [
        ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("DATABASE__URL", directory.database_url()),
        ("PAYOUTS__ADAPTER", "webhook".into()),
        ("PAYOUTS__URL", double.url.clone()),
        ("PAYOUTS__SECRET", double.key.clone()),
        ("PAYOUTS__ALLOW_LOOPBACK", "true".into()),
        ("FILES__URL", directory.files_url()),
        ("MAIL__TRANSPORT", "file".into()),
        ("MAIL__DIRECTORY", directory.mails().to_string_lossy().into_owned()),
        ("MAIL__FROM", FROM.into()),
        ("CLOCK__START", now.to_string()),
    ];
    let variables = variables.into_iter().map(|(name, value)| (format!("{}{name}", crate::config::VARIABLE_PREFIX), value));
    Ok(Config::layered(None, variables)?)
}

/// Starts the run that pays a month and tells of it; the service does the rest.
///
/// # Idempotency
/// The month: there is one run.
pub(super) async fn begin(books: &Books, program: &str, period: Period, now: Instant) -> Result<(), DemoError> {
    let input = SettlementInput { program: program.into(), period: period.to_string() };
    let tx = books.begin_write().await?;
    runs::start_as::<SettlementRun>(&tx, &input.key(), &input, durable::Instant(now.0)).await?;
    tx.commit().await?;
    Ok(())
}

/// Waits until every payout of the month is paid or held and every letter is written, and says what they come to.
///
/// # Errors
/// They are not, within the limit, or the service has stopped.
pub(super) async fn finish(
    hosted: &Hosted,
    directory: &Directory,
    books: &Books,
    program: &str,
    period: Period,
    progress: &Progress,
) -> Result<Payment, DemoError> {
    let began = Stopwatch::now();
    loop {
        let open = in_read(books, async |tx| still_open(tx, program, period).await).await?;
        if open.is_empty() {
            break;
        }
        if hosted.has_ended() {
            return Err(DemoError::Stopped);
        }
        if began.elapsed() > LIMIT {
            return Err(DemoError::Unpaid { limit_s: LIMIT.as_secs(), open });
        }
        progress.note(format!("{period}: {open}"));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    // What was done last is sealed by now, not a second later.
    seal::seal_all(books, hosted.now()).await?;
    let mut payment = in_read(books, async |tx| payment(tx, program, period).await).await?;
    (payment.requests, payment.payments) = provider_counts(&directory.provider_journal())?;
    Ok(payment)
}

/// What the month still waits for.
#[derive(Debug)]
pub(crate) struct Open {
    payouts: i64,
    letters: i64,
}

impl Open {
    fn is_empty(&self) -> bool {
        self.payouts == 0 && self.letters == 0
    }
}

impl std::fmt::Display for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} and {} to go", counted(self.payouts, "payout"), counted(self.letters, "letter"))
    }
}

/// Runs that have not ended, but for those of held payouts, which wait for people; and letters that have not left.
async fn still_open(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Open, LoadError> {
    let runs = "SELECT COUNT(*) FROM workflow_runs r WHERE r.status <> 'done' AND r.workflow IN ('settlement_run', 'payout') AND NOT EXISTS \
                (SELECT 1 FROM payouts p WHERE p.workflow = r.id AND p.status = 'held' AND p.program = ? AND p.period = ?)";
    let payouts = count(tx, runs, vec![program.into(), period.to_string().into()]).await?;
    let letters = count(tx, "SELECT COUNT(*) FROM outbox WHERE topic = ? AND status <> 'sent'", vec![TOPIC.into()]).await?;
    Ok(Open { payouts, letters })
}

async fn count(tx: &DatabaseTransaction, query: &str, values: Vec<sea_orm::Value>) -> Result<i64, LoadError> {
    first_row(tx, query, values).await?.map_or(Ok(0), |row| row.int(0))
}

async fn payment(tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Payment, LoadError> {
    let mut payment = Payment {
        period,
        paid: 0,
        paid_minor: BTreeMap::new(),
        held: Vec::new(),
        letters: letters(tx).await?,
        requests: 0,
        payments: 0,
        looked_up: looked_up(tx).await?,
        claims: None,
    };
    let query = "SELECT status, partner, currency, amount_minor, reason FROM payouts WHERE program = ? AND period = ? ORDER BY partner, currency";
    for row in rows(tx, query, vec![program.into(), period.to_string().into()]).await? {
        let (currency, amount_minor) = (row.currency(2)?, row.int(3)?);
        if row.string(0)? == "paid" {
            payment.paid += 1;
            *payment.paid_minor.entry(currency).or_default() += amount_minor;
        } else {
            payment.held.push(Held { partner: row.string(1)?, currency, amount_minor, reason: row.string_or_null(4)?.unwrap_or_default() });
        }
    }
    Ok(payment)
}

/// A letter's key begins with what it is about.
async fn letters(tx: &DatabaseTransaction) -> Result<BTreeMap<String, usize>, LoadError> {
    let mut letters: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(tx, "SELECT key FROM outbox WHERE topic = ? AND status = 'sent'", vec![TOPIC.into()]).await? {
        let key = row.string(0)?;
        *letters.entry(key.split('/').next().unwrap_or(&key).to_owned()).or_default() += 1;
    }
    Ok(letters)
}

async fn looked_up(tx: &DatabaseTransaction) -> Result<usize, LoadError> {
    let query = "SELECT COUNT(DISTINCT payout) FROM payout_events WHERE source = 'look_up'";
    Ok(usize::try_from(count(tx, query, vec![]).await?).unwrap_or(0))
}

/// Requests and payments in the provider's own books.
fn provider_counts(journal: &Path) -> Result<(usize, usize), DemoError> {
    let unread = |source| DemoError::Write { path: journal.to_owned(), source };
    let text = std::fs::read_to_string(journal).map_err(unread)?;
    let (mut requests, mut payments) = (0, 0);
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).map_err(|error| unread(error.into()))?;
        match event["event"].as_str() {
            Some("request") => requests += 1,
            Some("paid") => payments += 1,
            _ => {}
        }
    }
    Ok((requests, payments))
}

async fn in_read<T>(books: &Books, look: impl AsyncFn(&DatabaseTransaction) -> Result<T, LoadError>) -> Result<T, DemoError> {
    let tx = books.begin_read().await?;
    let seen = look(&tx).await;
    tx.rollback().await?;
    Ok(seen?)
}
