//! The double-entry ledger and the draws on co-op lots (domain.md §6 and §7). A lot is the co-op line that accrued it; what is left
//! of it is its amount less its draws.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, LEDGER).await?;
        for table in ["transactions", "postings", "lot_draws"] {
            dialect::refuse_changes(manager, table, "TRUE", "postings are never changed or deleted").await?;
        }
        Ok(())
    }
}

const LEDGER: &str = "
CREATE TABLE transactions (
    id {text} PRIMARY KEY, program {text} NOT NULL, kind {text} NOT NULL, dated_on {text} NOT NULL, recorded_at {int} NOT NULL, description {text} NOT NULL
) {keyed};;
CREATE TABLE postings (
    transaction_id {text} NOT NULL REFERENCES transactions (id), ordinal {int} NOT NULL, account {text} NOT NULL, currency {text} NOT NULL,
    amount_minor {int} NOT NULL, PRIMARY KEY (transaction_id, ordinal)
) {keyed};;
CREATE INDEX postings_of_account ON postings (account, currency);;
CREATE TABLE account_balances (
    account {text} NOT NULL, currency {text} NOT NULL, balance_minor {int} NOT NULL, PRIMARY KEY (account, currency)
) {keyed};;
CREATE TABLE wallets (
    program {text} NOT NULL, partner {text} NOT NULL, fund {text} NOT NULL CHECK (fund IN ('coop')), currency {text} NOT NULL,
    balance_minor {int} NOT NULL, held_minor {int} NOT NULL DEFAULT 0, revision {int} NOT NULL DEFAULT 0,
    PRIMARY KEY (program, partner, fund, currency), FOREIGN KEY (program, partner) REFERENCES memberships (program, partner)
) {keyed};;
CREATE TABLE lot_draws (
    no {serial}, program {text} NOT NULL, partner {text} NOT NULL, fund {text} NOT NULL, currency {text} NOT NULL, invoice {text} NOT NULL,
    item {text} NOT NULL, role {text} NOT NULL, kind {text} NOT NULL CHECK (kind IN ('debt', 'reversal', 'restored', 'hold', 'release', 'expiry')),
    amount_minor {int} NOT NULL, dated_on {text} NOT NULL, reference {text} NOT NULL
) {table};;
CREATE INDEX draws_of_wallet ON lot_draws (program, partner, currency, invoice, item, role);;
";
