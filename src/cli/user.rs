//! `user add`, `list` and `disable`.

use books::users::{self, User};
use clap::{Args, Subcommand};

use super::{At, CliError, act, output};

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a person
    Add {
        /// The id by which the person acts (--by)
        #[arg(long)]
        id: String,
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// The name; else the id
        #[arg(long)]
        name: Option<String>,
        /// Roles: admin, ops, finance, approver, partner, ingest, or one that a programme's approvals name
        #[arg(long = "role", required = true, num_args = 1.., value_delimiter = ',')]
        roles: Vec<String>,
        /// The partner that the person belongs to
        #[arg(long)]
        partner: Option<String>,
    },
    /// All people
    List,
    /// Keep a person from acting, for good
    Disable {
        /// Who
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(at: &At, args: UserArgs) -> Result<(), CliError> {
    match args.command {
        UserCommand::Add { id, email, name, mut roles, partner } => {
            roles.sort();
            roles.dedup();
            let user = User { name: name.unwrap_or_else(|| id.clone()), id, email, partner, roles, disabled: None };
            add(at, &user).await
        }
        UserCommand::List => list(at).await,
        UserCommand::Disable { id, reason } => disable(at, &id, &reason).await,
    }
}

async fn add(at: &At, user: &User) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let done = users::add(&tx, user, at.now).await;
    let is_new = act::end(at, &books, tx, done).await?;
    if at.json {
        return output::json(&user.json());
    }
    output::text(&format!("{} {}\n", user.id, if is_new { "is added" } else { "was added before" }))
}

async fn list(at: &At) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_read().await?;
    let found = users::list(&tx).await;
    tx.rollback().await?;
    let found = found?;
    if at.json {
        return output::json(&serde_json::json!({ "users": found.iter().map(User::json).collect::<Vec<_>>() }));
    }
    if found.is_empty() {
        return output::text("no users\n");
    }
    let row = |user: &User| {
        let disabled = user.disabled.as_ref().map(|(at, reason)| format!("{at}: {reason}")).unwrap_or_default();
        vec![user.id.clone(), user.name.clone(), user.email.clone(), user.roles.join(", "), user.partner.clone().unwrap_or_default(), disabled]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    output::text(&output::table(&["user", "name", "address", "roles", "partner", "disabled"], &[false; 6], &rows))
}

async fn disable(at: &At, id: &str, reason: &str) -> Result<(), CliError> {
    let books = at.books().await?;
    let tx = books.begin_write().await?;
    let done = users::disable(&tx, id, reason, at.now).await;
    let is_new = act::end(at, &books, tx, done).await?;
    if at.json {
        return output::json(&serde_json::json!({ "id": id, "disabled": true, "unchanged": !is_new }));
    }
    output::text(&format!("{id} {}\n", if is_new { "is disabled" } else { "was disabled before" }))
}
