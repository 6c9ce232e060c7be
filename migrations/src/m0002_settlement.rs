//! What periods, reviews and rankings made of the facts: bookings, commission lines, settlements and their evidence.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, SETTLEMENT).await?;
        dialect::refuse_changes(manager, "settlements", "OLD.status <> 'draft'", "a final settlement never changes").await?;
        let of_final =
            |table: &str| format!("EXISTS (SELECT 1 FROM periods p WHERE p.program = OLD.program AND p.period = OLD.{table} AND p.status = 'final')");
        dialect::refuse_changes(manager, "commission_lines", &of_final("period"), "a line of a final period never changes").await?;
        let booked = of_final("period").replace("OLD.program", "OLD.booked_by");
        dialect::refuse_changes(manager, "booked_credits", &booked, "a credit booked in a final period never changes").await?;
        dialect::refuse_changes(manager, "periods", "OLD.status = 'final'", "a final period never changes").await?;
        dialect::refuse_changes(manager, "reviews", "TRUE", "a review never changes").await?;
        dialect::refuse_changes(manager, "review_results", "TRUE", "a review never changes").await
    }
}

const SETTLEMENT: &str = "
CREATE TABLE periods (
    program {text} NOT NULL REFERENCES programs (id), period {text} NOT NULL, status {text} NOT NULL CHECK (status IN ('closing', 'final')),
    stage {text} NOT NULL CHECK (stage IN ('frozen', 'tiered', 'rated', 'final')), cutoff {int} NOT NULL, frozen_at {int} NOT NULL, final_at {int},
    PRIMARY KEY (program, period)
) {table};;
CREATE TABLE bookings (
    program {text} NOT NULL REFERENCES programs (id), invoice {text} NOT NULL REFERENCES invoices (id), period {text} NOT NULL,
    PRIMARY KEY (invoice, program)
) {keyed};;
CREATE TABLE booked_credits (
    invoice {text} NOT NULL, item {text} NOT NULL, program {text} NOT NULL, partner {text} NOT NULL, role {text} NOT NULL, share {text} NOT NULL,
    credit {text} NOT NULL, booked_by {text} NOT NULL, period {text} NOT NULL, PRIMARY KEY (invoice, item, program, partner, role)
) {keyed};;
CREATE TABLE booked_refunds (
    program {text} NOT NULL, refund {text} NOT NULL REFERENCES refunds (id), invoice {text} NOT NULL, period {text} NOT NULL, ordinal {int} NOT NULL,
    PRIMARY KEY (program, refund)
) {table};;
CREATE INDEX booked_refunds_of_invoice ON booked_refunds (program, invoice);;
CREATE TABLE commission_lines (
    program {text} NOT NULL, period {text} NOT NULL, payee {text} NOT NULL, currency {text} NOT NULL,
    source {text} NOT NULL CHECK (source = 'invoice' OR source = 'refund' OR source = 'ranking' OR source = 'adjustment'), source_id {text} NOT NULL, invoice {text} NOT NULL,
    item {text} NOT NULL DEFAULT '', from_partner {text} NOT NULL, role {text} NOT NULL DEFAULT '', component {text} NOT NULL,
    rule {text} NOT NULL DEFAULT '', level {int} NOT NULL, part {int} NOT NULL DEFAULT 0, earned_on {text} NOT NULL, tier {text}, base_minor {int} NOT NULL, rate {text}, rate_source {text}, share {text} NOT NULL,
    uncut_minor {int}, amount_minor {int} NOT NULL, referred_minor {int} NOT NULL, fund {text}, late_from {text}, corrects {text}, version {int} NOT NULL,
    PRIMARY KEY (source_id, program, source, item, from_partner, role, component, rule, payee, level, part)
) {table};;
CREATE INDEX lines_of_settlement ON commission_lines (program, period, payee, currency);;
CREATE INDEX coop_lines ON commission_lines (payee, program, currency, earned_on) WHERE fund IS NOT NULL;;
CREATE TABLE spiff_uses (
    program {text} NOT NULL, rule {text} NOT NULL, deal {text} NOT NULL, invoice {text} NOT NULL, item {text} NOT NULL, base_minor {int} NOT NULL,
    period {text} NOT NULL, PRIMARY KEY (program, deal, rule, invoice, item)
) {keyed};;
CREATE TABLE settlements (
    program {text} NOT NULL, partner {text} NOT NULL, period {text} NOT NULL, currency {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('draft', 'final', 'paying', 'paid', 'failed')), digest {text} NOT NULL,
    lines {int} NOT NULL, referred_revenue_minor {int} NOT NULL, opening_balance_minor {int} NOT NULL, cash_lines_minor {int} NOT NULL,
    net_minor {int} NOT NULL, cash_payout_minor {int} NOT NULL, carried_forward_minor {int} NOT NULL, coop_credit_minor {int} NOT NULL,
    final_at {int} NOT NULL, PRIMARY KEY (program, partner, currency, period)
) {table};;
CREATE INDEX settlements_of_period ON settlements (program, period);;
CREATE TABLE reviews (
    program {text} NOT NULL REFERENCES programs (id), as_of {text} NOT NULL, version {int} NOT NULL, seq {int} NOT NULL, reviewed_at {int} NOT NULL,
    PRIMARY KEY (program, as_of)
) {table};;
CREATE TABLE review_results (
    program {text} NOT NULL, as_of {text} NOT NULL, partner {text} NOT NULL, tier {text} NOT NULL, t12m_minor {int} NOT NULL, earned {text} NOT NULL,
    outcome {text} NOT NULL CHECK (outcome IN ('promoted', 'kept', 'notice', 'demoted')), new_tier {text} NOT NULL, misses {int} NOT NULL,
    evidence {text} NOT NULL, PRIMARY KEY (program, partner, as_of)
) {table};;
CREATE TABLE rankings (
    program {text} NOT NULL REFERENCES programs (id), ranking {text} NOT NULL, quarter {text} NOT NULL, period {text} NOT NULL, rate {text} NOT NULL,
    applies {text} NOT NULL CHECK (applies IN ('next_quarter', 'ranked_quarter')), top {text} NOT NULL, ranked {int} NOT NULL, version {int} NOT NULL,
    PRIMARY KEY (program, ranking, quarter)
) {table};;
CREATE TABLE ranking_places (
    program {text} NOT NULL, ranking {text} NOT NULL, quarter {text} NOT NULL, partner {text} NOT NULL, revenue {text} NOT NULL,
    place {int} NOT NULL, winner {int} NOT NULL CHECK (winner IN (0, 1)), PRIMARY KEY (program, ranking, quarter, partner)
) {table};;
";
