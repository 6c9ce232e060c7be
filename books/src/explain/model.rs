//! What `explain` tells, ready to be printed for people or as JSON.

use program::explain::{ChainShown, EntryShown, RuleShown};
use serde::Serialize;

/// All about an invoice.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The invoice as recorded.
    pub invoice: InvoiceShown,
    /// Each programme in which it is booked, or in which any of its items has a credit.
    pub programs: Vec<InProgram>,
    /// Where credits were looked for, if no item has one in any programme.
    pub uncredited: Vec<ItemPlaces>,
    /// What is to be said about the invoice as a whole.
    pub notes: Vec<String>,
    /// Whether everything posted is what comes out when it is computed again.
    pub agrees: bool,
    /// Whether a programme has still to book it, so that only a preview can tell what it would earn.
    #[serde(skip)]
    pub awaits_preview: bool,
}

/// An invoice as recorded.
#[derive(Debug, Clone, Serialize)]
pub struct InvoiceShown {
    /// Its id.
    pub id: String,
    /// Its customer.
    pub customer: String,
    /// Its deal.
    pub deal: Option<String>,
    /// Its partner column.
    pub partner: Option<String>,
    /// Its currency.
    pub currency: String,
    /// Its subtotal.
    pub subtotal: String,
    /// What processing it cost.
    pub processing_cost: Option<String>,
    /// When it was issued.
    pub issued_on: Option<String>,
    /// When it was paid.
    pub paid_at: Option<String>,
    /// Its product.
    pub product: Option<String>,
    /// How it was paid.
    pub payment_method: Option<String>,
    /// When it was recorded.
    pub recorded_at: String,
}

/// How an invoice stands in a programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A period booked it.
    Booked,
    /// No period booked it yet; what it would earn is computed.
    WouldBeBooked,
    /// It was paid before the programme's first period.
    History,
    /// It can't be computed yet.
    Open,
}

/// An invoice in one programme.
#[derive(Debug, Clone, Serialize)]
pub struct InProgram {
    /// The programme.
    pub program: String,
    /// How it stands.
    pub state: State,
    /// The same in sentences.
    pub says: Vec<String>,
    /// The paid date in the programme's zone.
    pub paid_on: String,
    /// Paid date and hold days.
    pub eligible_on: String,
    /// The period of that date.
    pub own_period: String,
    /// The period that booked it, or would.
    pub period: Option<String>,
    /// The last recording that counted.
    pub cutoff: Option<i64>,
    /// The version in force on the paid date.
    pub version: VersionShown,
    /// The programme and period that fixed the credits.
    pub credits_fixed_by: Option<(String, String)>,
    /// Its items.
    pub items: Vec<ItemShown>,
    /// Its refunds, in the order in which they are taken.
    pub refunds: Vec<RefundShown>,
    /// Where what was posted and what comes out now differ.
    pub differences: Vec<Difference>,
}

/// A version of a programme.
#[derive(Debug, Clone, Serialize)]
pub struct VersionShown {
    /// Its number.
    pub number: i64,
    /// From which day on it holds; `None`: from ever.
    pub effective_from: Option<String>,
    /// How it rounds.
    pub rounding: &'static str,
}

/// A deal.
#[derive(Debug, Clone, Serialize)]
pub struct DealShown {
    /// Its id.
    pub id: String,
    /// Its value.
    pub contract_value: String,
    /// The currency of that.
    pub currency: String,
    /// When it was signed.
    pub signed_on: String,
    /// Whether the customer was new.
    pub new_logo: bool,
    /// Whether it was registered.
    pub registered: bool,
    /// How it was sold.
    pub motion: Option<String>,
}

/// An item in a programme.
#[derive(Debug, Clone, Serialize)]
pub struct ItemShown {
    /// Its id; `None`: the whole invoice.
    pub item: Option<String>,
    /// Its amount.
    pub amount: String,
    /// Its product.
    pub product: Option<String>,
    /// Its deal.
    pub deal: Option<DealShown>,
    /// Where its credits were looked for, nearest first.
    pub places: Vec<PlaceShown>,
    /// Its credits in the programme.
    pub credits: Vec<CreditShown>,
}

/// Where the credits of an item were looked for.
#[derive(Debug, Clone, Serialize)]
pub struct ItemPlaces {
    /// The item; `None`: the whole invoice.
    pub item: Option<String>,
    /// The places, nearest first.
    pub places: Vec<PlaceShown>,
}

/// A place where credits are looked for.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceShown {
    /// `item`, `invoice`, `deal` or `customer`.
    pub place: &'static str,
    /// Its id.
    pub id: String,
    /// Whether the item's credits come from here.
    pub wins: bool,
    /// What is recorded here.
    pub credits: Vec<PlacedCredit>,
    /// The partner of its plain column.
    pub column: Option<String>,
}

/// A credit as recorded at a place.
#[derive(Debug, Clone, Serialize)]
pub struct PlacedCredit {
    /// Its id.
    pub id: String,
    /// The partner.
    pub partner: String,
    /// The role.
    pub role: String,
    /// The share.
    pub share: String,
    /// The programme: named by the credit, or the partner's home.
    pub program: String,
    /// Why it is not in force on the paid date; `None`: it is.
    pub not_in_force: Option<String>,
}

/// A credit of an item and what it earned.
#[derive(Debug, Clone, Serialize)]
pub struct CreditShown {
    /// The id of the recorded credit; `None`: a plain column.
    pub credit: Option<String>,
    /// The place that it comes from.
    pub place: Option<&'static str>,
    /// The partner.
    pub partner: String,
    /// The role.
    pub role: String,
    /// What the role may do.
    pub role_has: Vec<&'static str>,
    /// The share.
    pub share: String,
    /// What it counts as referred revenue.
    pub referred_amount: String,
    /// Its tier.
    pub tier: TierShown,
    /// Its status on the paid date.
    pub status: String,
    /// Since when; `None`: none is recorded, which is active.
    pub status_since: Option<String>,
    /// The base rate; `None`: not a member.
    pub base: Option<BaseShown>,
    /// Spiffs and volume bonuses of the version in force.
    pub rules: Vec<RuleShown>,
    /// Stack ranks.
    pub ranks: Vec<RankShown>,
    /// The processing cost, in words.
    pub processing_cost: String,
    /// The co-op accrual, in words.
    pub coop: String,
    /// Who stands above.
    pub chain: ChainShown,
    /// What it earned, for every payee.
    pub lines: Vec<LineShown>,
    /// What refunds took back.
    pub reversals: Vec<LineShown>,
}

/// A partner's tier on the paid date.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TierShown {
    /// The tier that it held; `None`: not yet a member.
    pub earned: Option<String>,
    /// The tier that counted.
    pub effective: Option<String>,
    /// Since when it held it.
    pub since: Option<String>,
    /// Who assigned it: `hand`, `review` or `immediate`.
    pub origin: Option<&'static str>,
    /// The reason given.
    pub reason: Option<String>,
    /// The review that assigned it.
    pub review: Option<ReviewShown>,
    /// What the tier asks for, and who held it.
    pub certifications: Vec<CertificationShown>,
}

/// A review's result.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewShown {
    /// Its day.
    pub as_of: String,
    /// T12M.
    pub t12m: String,
    /// The tier before.
    pub tier: String,
    /// The tier earned.
    pub earned: String,
    /// What was done.
    pub outcome: String,
    /// The stored evidence.
    pub evidence: serde_json::Value,
}

/// A certification that a tier asks for.
#[derive(Debug, Clone, Serialize)]
pub struct CertificationShown {
    /// Which.
    pub certification: String,
    /// How many holders it asks for.
    pub needed: u32,
    /// Who held it on the paid date.
    pub holders: Vec<String>,
    /// Who did not, and why.
    pub not_valid: Vec<String>,
}

/// A base rate.
#[derive(Debug, Clone, Serialize)]
pub struct BaseShown {
    /// The rate; `None`: it can't be told.
    pub rate: Option<String>,
    /// Why it can't be told.
    pub error: Option<String>,
    /// `rates:<id>`, `tier:<id>`, or `None` for 0.
    pub source: Option<String>,
    /// The rate table.
    pub entries: Vec<EntryShown>,
}

/// A stack rank as one credit met it.
#[derive(Debug, Clone, Serialize)]
pub struct RankShown {
    /// Its id.
    pub ranking: String,
    /// The quarter that was ranked.
    pub quarter: String,
    /// Whether it pays on this credit.
    pub pays: bool,
    /// Its rate.
    pub rate: Option<String>,
    /// The member's place.
    pub place: Option<i64>,
    /// The revenue that was ranked.
    pub revenue: Option<String>,
    /// Why it does not pay.
    pub reason: Option<String>,
}

/// A line with how its amount came about.
#[derive(Debug, Clone, Serialize)]
pub struct LineShown {
    /// Whose settlement it is in.
    pub payee: String,
    /// The period of that.
    pub period: String,
    /// The settlement's status; `None`: not final yet.
    pub settlement: Option<String>,
    /// The version that it was rated by.
    pub version: i64,
    /// The line (interface.md §3).
    pub line: serde_json::Value,
    /// What it was before `max_total_rate` cut it.
    pub uncut: Option<String>,
    /// How its amount came about.
    pub computed: String,
}

/// A refund.
#[derive(Debug, Clone, Serialize)]
pub struct RefundShown {
    /// Its id.
    pub refund: String,
    /// `refund`, `credit_note`, `chargeback` or `chargeback_won`.
    pub kind: String,
    /// When it was made.
    pub refunded_at: String,
    /// The item that it names.
    pub item: Option<String>,
    /// Its amount.
    pub amount: String,
    /// The chargeback that it wins.
    pub of: Option<String>,
    /// Whether the processing cost came back.
    pub cost_returned: bool,
    /// Its place among those booked.
    pub ordinal: Option<i64>,
    /// The period that booked it.
    pub period: Option<String>,
    /// What it took from each item.
    pub spread: Vec<SpreadShown>,
    /// What is to be said about it.
    pub note: Option<String>,
}

/// What a refund took from an item.
#[derive(Debug, Clone, Serialize)]
pub struct SpreadShown {
    /// The item; `None`: the whole invoice.
    pub item: Option<String>,
    /// How much.
    pub taken: String,
    /// What refunds have taken from it so far.
    pub cumulative: String,
}

/// Something posted that does not come out again, or the other way round.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// What it is about.
    pub what: String,
    /// As posted.
    pub posted: Option<serde_json::Value>,
    /// As computed again.
    pub recomputed: Option<serde_json::Value>,
}
