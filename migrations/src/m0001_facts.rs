//! Facts as they were recorded: programmes, partners, customers, deals, invoices, credits, refunds and the rest of the imports.
//!
//! `seq` is the recording that brought a row, `filled` the last recording that filled an empty column of it (0: none); `fills` says
//! which column each filled, so that a period is computed from what was known at its cut-off (domain.md §4.7).

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, FACTS).await
    }
}

const FACTS: &str = "
CREATE TABLE gate (id {int} PRIMARY KEY CHECK (id = 1), seq {int} NOT NULL) {table};;
INSERT INTO gate (id, seq) VALUES (1, 0);;
CREATE TABLE recordings (
    seq {int} PRIMARY KEY, recorded_at {int} NOT NULL, kind {text} NOT NULL, origin {text} NOT NULL, rows_new {int} NOT NULL, rows_filled {int} NOT NULL
) {table};;
CREATE TABLE fills (seq {int} NOT NULL, kind {text} NOT NULL, id {text} NOT NULL, field {text} NOT NULL, PRIMARY KEY (kind, id, field)) {table};;
CREATE TABLE voids (
    no {serial}, kind {text} NOT NULL, id {text} NOT NULL, reason {text} NOT NULL, approved_by {text} NOT NULL, body {text} NOT NULL, seq {int} NOT NULL
) {table};;
CREATE TABLE programs (
    id {text} PRIMARY KEY, currency {text} NOT NULL, timezone {text} NOT NULL, first_period {text} NOT NULL, revision {int} NOT NULL DEFAULT 0
) {table};;
CREATE TABLE program_versions (
    program {text} NOT NULL REFERENCES programs (id), number {int} NOT NULL, effective_from {text} NOT NULL, source {text} NOT NULL,
    digest {text} NOT NULL, seq {int} NOT NULL, PRIMARY KEY (program, number)
) {table};;
CREATE TABLE partners (
    id {text} PRIMARY KEY, name {text} NOT NULL, email {text}, program {text} NOT NULL REFERENCES programs (id), kind {text}, joined_on {text},
    country {text}, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE TABLE memberships (
    program {text} NOT NULL REFERENCES programs (id), partner {text} NOT NULL REFERENCES partners (id), joined_on {text},
    first_tier {text}, first_tier_since {text}, first_parent {text}, first_parent_since {text}, first_override_rate {text}, first_status {text},
    revision {int} NOT NULL DEFAULT 0, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0, PRIMARY KEY (program, partner)
) {table};;
CREATE TABLE tier_assignments (
    no {serial}, program {text} NOT NULL, partner {text} NOT NULL, effective_from {text} NOT NULL, tier {text} NOT NULL,
    origin {text} NOT NULL CHECK (origin IN ('hand', 'review', 'immediate')), reason {text},
    found_in {text}, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0, UNIQUE (program, partner, effective_from, origin, tier), FOREIGN KEY (program, partner) REFERENCES memberships (program, partner)
) {table};;
CREATE TABLE parent_links (
    program {text} NOT NULL, partner {text} NOT NULL, effective_from {text} NOT NULL, parent {text}, override_rate {text}, seq {int} NOT NULL,
    filled {int} NOT NULL DEFAULT 0, PRIMARY KEY (program, partner, effective_from),
    FOREIGN KEY (program, partner) REFERENCES memberships (program, partner), FOREIGN KEY (parent) REFERENCES partners (id)
) {table};;
CREATE TABLE statuses (
    program {text} NOT NULL, partner {text} NOT NULL, effective_from {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('active', 'suspended', 'terminated')), reason {text}, seq {int} NOT NULL,
    filled {int} NOT NULL DEFAULT 0, PRIMARY KEY (program, partner, effective_from),
    FOREIGN KEY (program, partner) REFERENCES memberships (program, partner)
) {table};;
CREATE TABLE customers (
    id {text} PRIMARY KEY, name {text} NOT NULL, referred_by {text} REFERENCES partners (id), activated_on {text}, churned_on {text},
    seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE INDEX customers_by_fill ON customers (filled) WHERE filled > 0;;
CREATE TABLE deals (
    id {text} PRIMARY KEY, customer {text} NOT NULL REFERENCES customers (id), partner {text} REFERENCES partners (id),
    contract_value_minor {int} NOT NULL, currency {text} NOT NULL, signed_on {text} NOT NULL, new_logo {int} NOT NULL CHECK (new_logo IN (0, 1)),
    registered {int} NOT NULL CHECK (registered IN (0, 1)), motion {text}, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE INDEX deals_of_customer ON deals (customer);;
CREATE INDEX deals_by_fill ON deals (filled) WHERE filled > 0;;
CREATE TABLE invoices (
    id {text} PRIMARY KEY, customer {text} NOT NULL REFERENCES customers (id), deal {text} REFERENCES deals (id),
    partner {text} REFERENCES partners (id), currency {text} NOT NULL, subtotal_minor {int} NOT NULL CHECK (subtotal_minor >= 0), tax_minor {int},
    processing_cost_minor {int}, issued_on {text}, paid_at {int}, product {text}, payment_method {text}, seq {int} NOT NULL,
    filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE INDEX invoices_by_payment ON invoices (paid_at) WHERE paid_at IS NOT NULL;;
CREATE INDEX invoices_of_customer ON invoices (customer);;
CREATE INDEX invoices_of_deal ON invoices (deal) WHERE deal IS NOT NULL;;
CREATE INDEX invoices_by_seq ON invoices (seq);;
CREATE INDEX invoices_by_fill ON invoices (filled) WHERE filled > 0;;
CREATE TABLE invoice_items (
    invoice {text} NOT NULL REFERENCES invoices (id), item {text} NOT NULL, amount_minor {int} NOT NULL CHECK (amount_minor >= 0), product {text},
    deal {text} REFERENCES deals (id), seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0, PRIMARY KEY (invoice, item)
) {table};;
CREATE INDEX items_of_deal ON invoice_items (deal) WHERE deal IS NOT NULL;;
CREATE INDEX items_by_seq ON invoice_items (seq);;
CREATE INDEX items_by_fill ON invoice_items (filled) WHERE filled > 0;;
CREATE TABLE credits (
    id {text} PRIMARY KEY, partner {text} NOT NULL REFERENCES partners (id), role {text} NOT NULL, share {text} NOT NULL,
    program {text} REFERENCES programs (id), customer {text} REFERENCES customers (id), deal {text} REFERENCES deals (id),
    invoice {text} REFERENCES invoices (id), item {text}, from_on {text}, through_on {text}, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE INDEX credits_of_customer ON credits (customer) WHERE customer IS NOT NULL;;
CREATE INDEX credits_of_deal ON credits (deal) WHERE deal IS NOT NULL;;
CREATE INDEX credits_of_invoice ON credits (invoice) WHERE invoice IS NOT NULL;;
CREATE INDEX credits_by_seq ON credits (seq);;
CREATE INDEX credits_by_fill ON credits (filled) WHERE filled > 0;;
CREATE TABLE refunds (
    id {text} PRIMARY KEY, invoice {text} NOT NULL REFERENCES invoices (id), item {text}, amount_minor {int} NOT NULL CHECK (amount_minor > 0),
    refunded_at {int} NOT NULL, kind {text} NOT NULL CHECK (kind IN ('refund', 'credit_note', 'chargeback', 'chargeback_won')), of_refund {text} REFERENCES refunds (id),
    cost_returned {int} NOT NULL CHECK (cost_returned IN (0, 1)), seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE INDEX refunds_of_invoice ON refunds (invoice);;
CREATE INDEX refunds_by_date ON refunds (refunded_at);;
CREATE TABLE adjustments (
    id {text} PRIMARY KEY, partner {text} NOT NULL REFERENCES partners (id), program {text} NOT NULL REFERENCES programs (id),
    amount_minor {int} NOT NULL, currency {text} NOT NULL, adjusted_on {text} NOT NULL, reason {text} NOT NULL, approved_by {text} NOT NULL,
    corrects {text}, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0, FOREIGN KEY (program, partner) REFERENCES memberships (program, partner)
) {table};;
CREATE INDEX adjustments_by_date ON adjustments (program, adjusted_on);;
CREATE TABLE certifications (
    id {text} PRIMARY KEY, partner {text} NOT NULL REFERENCES partners (id), certification {text} NOT NULL, holder {text} NOT NULL,
    issued_on {text} NOT NULL, expires_on {text} NOT NULL, revoked_on {text}, seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE TABLE freezes (
    id {text} PRIMARY KEY, program {text} NOT NULL REFERENCES programs (id), partner {text} REFERENCES partners (id),
    what {text} NOT NULL CHECK (what IN ('promotion', 'demotion')), from_on {text} NOT NULL, through_on {text} NOT NULL, reason {text} NOT NULL,
    seq {int} NOT NULL, filled {int} NOT NULL DEFAULT 0
) {table};;
CREATE TABLE metrics (
    partner {text} NOT NULL REFERENCES partners (id), metric {text} NOT NULL, as_of {text} NOT NULL, value {text} NOT NULL, seq {int} NOT NULL,
    filled {int} NOT NULL DEFAULT 0, PRIMARY KEY (partner, metric, as_of)
) {table};;
CREATE TABLE fx (
    dated_on {text} NOT NULL, from_currency {text} NOT NULL, to_currency {text} NOT NULL, rate {text} NOT NULL, seq {int} NOT NULL,
    filled {int} NOT NULL DEFAULT 0, PRIMARY KEY (from_currency, to_currency, dated_on)
) {table};;
";
