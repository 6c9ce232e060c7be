//! A payment provider to try tributary with: it keeps books of its own, moves no money, and misbehaves as it is told.
//!
//! It takes the requests of the payout adapter `webhook` at `/payouts`, keeps every request and effect in a journal that survives a kill,
//! pays once per idempotency key, and can time out after paying, call back early, twice, late or out of order, or answer whatever a
//! provider may answer. `/control` changes that while it runs. It belongs on a machine that nobody else reaches.

mod book;
mod calls;
mod journal;
mod line;
mod modes;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use reqwest::Url;
use tokio::net::TcpListener;
use tributary::adapters::standard_webhooks::SigningKeys;

use self::book::Book;
use self::calls::Caller;
use self::modes::{Plan, Planned};
use self::server::Provider;

/// A payment provider to try tributary with.
#[derive(Debug, Parser)]
#[command(name = "tributary-provider-double", version)]
struct Args {
    /// Where it listens; port 0 takes a free one, which the first line of output names
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Its books: one JSON document a line, on disk before anything is answered
    #[arg(long)]
    journal: PathBuf,
    /// The key by which requests are believed, `whsec_<base64>`
    #[arg(long, env = "TRIBUTARY_PROVIDER_SECRET", hide_env_values = true)]
    secret: String,
    /// Where its word goes: tributary's /webhooks/payouts
    #[arg(long)]
    callback: Option<Url>,
    /// The key by which its word is believed
    #[arg(long, env = "TRIBUTARY_PROVIDER_CALLBACK_SECRET", hide_env_values = true)]
    callback_secret: Option<String>,
    /// What becomes of requests, in order: MODE or MODE*N; the last one stays. One of: pay, accept, fail, pay-then-hang, pay-then-drop,
    /// pay-then-error, pay-then-garbage, hang, drop, call-early, call-after, call-twice, call-late, bounce, bounce-reversed, status-NNN
    #[arg(long = "mode", default_value = "pay")]
    modes: Vec<Planned>,
    /// How late `call-late` is, in milliseconds
    #[arg(long, default_value_t = 2_000)]
    late_ms: u64,
    /// End when standard input closes, so that it never outlives who started it
    #[arg(long)]
    until_input_closes: bool,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> Result<(), String> {
    let keys = SigningKeys::parse(&args.secret).map_err(|error| format!("--secret {error}"))?;
    let book = Book::open(&args.journal).map_err(|error| format!("{}: {error}", args.journal.display()))?;
    let caller = match (args.callback, args.callback_secret) {
        (Some(url), Some(secret)) => Some(Caller::new(url, SigningKeys::parse(&secret).map_err(|error| format!("--callback-secret {error}"))?)?),
        (None, _) => None,
        (Some(_), None) => return Err("--callback needs --callback-secret".into()),
    };
    let listener = TcpListener::bind(args.listen).await.map_err(|error| format!("{}: {error}", args.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    if args.until_input_closes {
        std::thread::spawn(|| {
            // Whatever ends the input, nobody is there any more. The journal is on disk.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    println!("listening on http://{address}/payouts");
    let provider = Provider::new(keys, book, caller, Plan::of(args.modes), Duration::from_millis(args.late_ms));
    server::serve(listener, provider).await.map_err(|error| error.to_string())
}
