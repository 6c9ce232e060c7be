//! `mdf …`: campaigns and claims against co-op wallets (interface.md §5).

mod campaign;
mod claim;
mod proofs;

use clap::{Args, Subcommand};

use super::{At, CliError};

#[derive(Debug, Args)]
pub(crate) struct MdfArgs {
    #[command(subcommand)]
    command: MdfCommand,
}

#[derive(Debug, Subcommand)]
enum MdfCommand {
    /// What partners plan: budget, dates, share of receipts
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// What they ask to be paid back
    #[command(subcommand)]
    Claim(claim::ClaimCommand),
}

pub(crate) async fn run(at: &At, args: MdfArgs) -> Result<(), CliError> {
    match args.command {
        MdfCommand::Campaign(command) => campaign::run(at, command).await,
        MdfCommand::Claim(command) => claim::run(at, command).await,
    }
}
