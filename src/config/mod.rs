//! The configuration: built-in defaults, under a file, under the environment; checked as a whole before anything starts.

mod checks;
mod errors;
mod known;
mod layers;
mod mail;
mod parts;
mod payouts;
mod secret;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use program::calendar::Instant;
use reqwest::Url;

use self::layers::Layers;
use crate::adapters::standard_webhooks::SigningKeys;
use crate::adapters::stripe::signature::StripeKeys;

pub use errors::{ConfigErrors, Place, Problem};
pub use mail::{Mail, Smtp, Tls, Transport};
pub use payouts::{Holds, Pain001, PayoutAdapter, Payouts, Provider, Refusal};
pub use secret::Secret;
pub use values::AmountLimit;

/// The defaults, with a word on each key.
pub const DEFAULTS: &str = include_str!("../../config/tributary.toml");
/// What errors call them.
const DEFAULTS_NAME: &str = "(built-in) tributary.toml";
/// The file that is read where none is named.
pub const FILE_NAME: &str = "tributary.toml";
/// What the variables of the configuration begin with; after it, a section, two underscores and a key.
pub const VARIABLE_PREFIX: &str = "TRIBUTARY_";

/// The longest time that anything can be set to.
const DURATION_MAX: Duration = Duration::from_hours(24 * 366);
const SECOND: Duration = Duration::from_secs(1);

/// The whole of it.
#[derive(Debug)]
pub struct Config {
    /// Where the service listens.
    pub server: Server,
    /// Which database.
    pub database: Database,
    /// Who pays, and how much.
    pub payouts: Payouts,
    /// How statements look.
    pub statements: Statements,
    /// Whose word is taken.
    pub webhooks: Webhooks,
    /// How mail goes out.
    pub mail: Mail,
    /// Where files are kept.
    pub files: Files,
    /// How runs are worked on.
    pub workflows: Workflows,
    /// Where the clock starts.
    pub clock: Clock,
}

/// `[server]`.
#[derive(Debug)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// What others reach it by.
    pub public_url: Option<Url>,
    /// How long a stopping service waits for what it is at.
    pub shutdown_limit: Duration,
    /// How long a request may take.
    pub request_limit: Duration,
}

/// `[database]`.
#[derive(Debug)]
pub struct Database {
    /// With its password, if it has one.
    pub url: Secret,
}

/// `[statements]`.
#[derive(Debug)]
pub struct Statements {
    /// Instead of the built-in template of settlements.
    pub template: Option<PathBuf>,
    /// Instead of the built-in template of claims.
    pub claim_template: Option<PathBuf>,
    /// Beside the built-in fonts.
    pub fonts: Vec<PathBuf>,
    /// Whether the machine's fonts serve, too.
    pub system_fonts: bool,
}

/// `[webhooks]`.
#[derive(Debug)]
pub struct Webhooks {
    /// Of the payment provider.
    pub payouts: Option<SigningKeys>,
    /// Of who tells facts.
    pub facts: Option<SigningKeys>,
    /// Of who tells decisions.
    pub decisions: Option<SigningKeys>,
    /// Stripe's, in a form of its own.
    pub stripe: Option<StripeKeys>,
    /// Whether events of Stripe's test mode are taken.
    pub stripe_test_mode: bool,
    /// How far the sender's clock may be off.
    pub tolerance: Duration,
}

/// `[files]`.
#[derive(Debug)]
pub struct Files {
    /// Where to.
    pub url: String,
}

/// `[workflows]`.
#[derive(Debug)]
pub struct Workflows {
    /// Runs at work at the same time.
    pub workers: usize,
    /// How long a run stays with a node that does not answer.
    pub lease: Duration,
}

/// `[clock]`.
#[derive(Debug)]
pub struct Clock {
    /// For tests.
    pub start: Option<Instant>,
}

impl Config {
    /// Reads the file that is named, else [`FILE_NAME`] in the working directory if there is one, under the process's environment.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong, each with its file and line or its variable.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        Self::layered(found(file).as_deref(), environment())
    }

    /// Reads a file, or none, under the variables given.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn layered(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut layers = written(file, variables);
        layers.open_files("");
        let config = read(&mut layers);
        checked(layers, config)
    }
}

/// The file that is named, else [`FILE_NAME`] in the working directory if there is one.
fn found(file: Option<&Path>) -> Option<PathBuf> {
    file.map(Path::to_owned).or_else(|| Some(PathBuf::from(FILE_NAME)).filter(|path| path.exists()))
}

fn environment() -> impl Iterator<Item = (String, String)> {
    // What is not UTF-8 can't be one of ours but by mistake, which then shows as a character that is none.
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// What is written in a file, or none, under the variables given, over the defaults; files that hold a value are not opened yet.
fn written(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> Layers {
    let mut layers = Layers::default();
    layers.add_file(DEFAULTS_NAME, DEFAULTS);
    if let Some(path) = file {
        let name = path.display().to_string();
        match layers::read_limited(path) {
            Ok(text) => layers.add_file(&name, &text),
            Err(error) => layers.problem(Place::File { name, line: 1, column: 1 }, format!("the file can't be read: {error}"), None),
        }
    }
    layers.add_environment(variables);
    layers
}

/// What was read, if nothing is wrong.
fn checked<T>(layers: Layers, read: Option<T>) -> Result<T, ConfigErrors> {
    match (ConfigErrors::of(layers.problems), read) {
        (None, Some(read)) => Ok(read),
        (Some(errors), _) => Err(errors),
        (None, None) => Err(ConfigErrors::unexplained()),
    }
}

/// Reads every section, whatever is wrong with others.
fn read(layers: &mut Layers) -> Option<Config> {
    let (server, database, payouts) = (server(layers), database(layers), payouts::read(layers));
    let (webhooks, mail, files) = (webhooks(layers), mail::read(layers), files(layers));
    let (statements, workflows, clock) = (statements(layers), workflows(layers), clock(layers));
    Some(Config {
        server: server?,
        database: database?,
        payouts: payouts?,
        statements: statements?,
        webhooks: webhooks?,
        mail: mail?,
        files: files?,
        workflows: workflows?,
        clock,
    })
}

fn server(layers: &mut Layers) -> Option<Server> {
    let listen = layers.parsed("server.listen", str::parse::<SocketAddr>, Some("write an address and a port, such as \"127.0.0.1:8080\""));
    let public_url = layers.parsed("server.public_url", checks::web_url, None);
    let shutdown_limit = layers.duration("server.shutdown_limit", &(SECOND..=Duration::from_hours(1)));
    let request_limit = layers.duration("server.request_limit", &(SECOND..=Duration::from_hours(1)));
    Some(Server { listen: listen?, public_url, shutdown_limit: shutdown_limit?, request_limit: request_limit? })
}

fn database(layers: &mut Layers) -> Option<Database> {
    let url = layers.needed("database.url", "to keep the books")?;
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        layers.wrong("database.url", "is no database that is known", Some("write sqlite://FILE or postgres://USER@HOST/NAME".into()));
    }
    Some(Database { url: Secret::new(url) })
}

fn statements(layers: &mut Layers) -> Option<Statements> {
    let (template, claim_template) = (layers.path("statements.template"), layers.path("statements.claim_template"));
    let (fonts, system_fonts) = (layers.paths("statements.fonts"), layers.flag("statements.system_fonts"));
    Some(Statements { template, claim_template, fonts, system_fonts: system_fonts? })
}

fn webhooks(layers: &mut Layers) -> Option<Webhooks> {
    let mut keys = |path| layers.parsed(path, SigningKeys::parse, None);
    let (payouts, facts, decisions) = (keys("webhooks.payouts_secret"), keys("webhooks.facts_secret"), keys("webhooks.decisions_secret"));
    let stripe = layers.parsed("webhooks.stripe_secret", StripeKeys::parse, None);
    let stripe_test_mode = layers.flag("webhooks.stripe_test_mode");
    let tolerance = layers.duration("webhooks.tolerance", &(SECOND..=Duration::from_hours(1)));
    Some(Webhooks { payouts, facts, decisions, stripe, stripe_test_mode: stripe_test_mode?, tolerance: tolerance? })
}

fn files(layers: &mut Layers) -> Option<Files> {
    layers.needed("files.url", "to keep proofs").map(|url| Files { url })
}

fn workflows(layers: &mut Layers) -> Option<Workflows> {
    let workers = layers.count("workflows.workers", &(1..=1024));
    let lease = layers.duration("workflows.lease", &(Duration::from_secs(2)..=Duration::from_hours(1)));
    Some(Workflows { workers: workers?, lease: lease? })
}

fn clock(layers: &mut Layers) -> Clock {
    Clock { start: layers.parsed("clock.start", str::parse, None) }
}

#[cfg(test)]
mod tests;
