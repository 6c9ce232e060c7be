//! `wallet show`: co-op wallets with their lots and history.

use std::process::ExitCode;

use books::wallet::history::{self, Movement, Wallet};
use clap::{Args, Subcommand};

use super::{At, CliError, output};

#[derive(Debug, Args)]
pub(crate) struct WalletArgs {
    #[command(subcommand)]
    command: WalletCommand,
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Balance, held and available, lots and history of a partner's wallets
    Show {
        /// The partner
        #[arg(long)]
        partner: String,
        /// Only its wallets in this programme
        #[arg(long)]
        program: Option<String>,
    },
}

pub(crate) async fn run(at: &At, args: WalletArgs) -> Result<ExitCode, CliError> {
    let WalletCommand::Show { partner, program } = args.command;
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = async {
        if !history::is_partner(&tx, &partner).await? {
            return Err(CliError::Input(format!("partner {partner} is not recorded")));
        }
        if let Some(program) = &program {
            books::load::versions::load(&tx, program, i64::MAX).await?;
        }
        Ok(history::of_partner(&tx, &partner, program.as_deref(), at.now).await?)
    }
    .await;
    tx.rollback().await?;
    let wallets = found?;
    if at.json {
        let list: Vec<serde_json::Value> = wallets.iter().map(Wallet::json).collect::<Result<_, _>>().map_err(overflow)?;
        output::json(&serde_json::json!({ "partner": partner, "wallets": list }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if wallets.is_empty() {
        output::text(&format!("{partner} has no wallet: nothing has accrued to it\n"))?;
    }
    for (place, wallet) in wallets.iter().enumerate() {
        output::text(if place == 0 { "" } else { "\n" })?;
        output::text(&shown(wallet).map_err(overflow)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn overflow(error: program::exact::Overflow) -> CliError {
    CliError::Failed(error.to_string())
}

fn shown(wallet: &Wallet) -> Result<String, program::exact::Overflow> {
    let money = |minor| wallet.key.currency.format_minor(minor);
    let mut out = format!("{} of {} in {}, {}\n\n", wallet.fund, wallet.key.partner, wallet.key.program, wallet.key.currency);
    let mut sums = vec![("balance", wallet.balance_minor), ("held", wallet.held_minor)];
    if wallet.ended_minor != 0 {
        sums.push(("ended", wallet.ended_minor));
    }
    sums.push(("available", wallet.available_minor()?));
    let width = sums.iter().map(|(_, minor)| money(*minor).len()).max().unwrap_or(0);
    for (name, minor) in sums {
        out.push_str(&format!("  {name:<9}  {:>width$}\n", money(minor)));
    }
    if wallet.ended_minor != 0 {
        out.push_str("\nWhat has ended expires when its period is made final; until then it is not available.\n");
    }
    let lots: Vec<Vec<String>> = wallet
        .lots
        .iter()
        .map(|(lot, ends_on)| {
            let ends_on = ends_on.map_or_else(|| "never".to_owned(), |day| day.to_string());
            let from = [lot.earned_on.to_string(), ends_on, lot.invoice.to_string(), lot.item.to_string(), lot.role.to_string()];
            from.into_iter().chain([money(lot.amount_minor), money(lot.remaining_minor)]).collect()
        })
        .collect();
    if !lots.is_empty() {
        out.push_str("\nlots\n");
        let heads = ["earned on", "ends on", "invoice", "item", "role", "amount", "remaining"];
        out.push_str(&output::table(&heads, &[false, false, false, false, false, true, true], &lots));
    }
    let history: Vec<Vec<String>> = wallet.history.iter().map(|moved| movement(wallet, moved)).collect();
    if !history.is_empty() {
        out.push_str("\nhistory\n");
        let heads = ["date", "what", "reference", "invoice", "item", "amount", "balance"];
        out.push_str(&output::table(&heads, &[false, false, false, false, false, true, true], &history));
    }
    Ok(out)
}

fn movement(wallet: &Wallet, moved: &Movement) -> Vec<String> {
    let money = |minor| wallet.key.currency.format_minor(minor);
    // What moves a lot alone stands in brackets, as it adds nothing to the balance.
    let amount = if moved.kind.moves_balance() { money(moved.amount_minor) } else { format!("({})", money(moved.amount_minor)) };
    vec![
        moved.dated_on.to_string(),
        moved.kind.name().to_owned(),
        moved.reference.clone(),
        moved.invoice.to_string(),
        moved.item.to_string(),
        amount,
        money(moved.balance_minor),
    ]
}
