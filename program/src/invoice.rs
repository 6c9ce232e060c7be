//! An invoice as it is rated: paid, with items, deals and its share of the processing cost.

use crate::calendar::{Date, Instant};
use crate::exact::Overflow;
use crate::line::Text;
use crate::money::Currency;
use crate::spread::by_largest_remainder;

/// A deal that items are under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// Its id.
    pub id: Text,
    /// Its value, minor units of its currency.
    pub contract_value_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// When it was signed.
    pub signed_on: Date,
    /// Whether the customer was new.
    pub new_logo: bool,
    /// Whether it was registered.
    pub registered: bool,
    /// How it was sold, "" if unknown.
    pub motion: Text,
    /// Its customer.
    pub customer: Text,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id; `None`: the one item of an invoice without items.
    pub id: Option<Text>,
    /// Its amount, minor units.
    pub amount_minor: i64,
    /// Its product (its own, else the invoice's), "" if unknown.
    pub product: Text,
    /// Its deal (its own, else the invoice's), as a place in a list that the caller holds.
    pub deal: Option<usize>,
}

impl Item {
    /// Its id, "" for the unnamed one.
    #[must_use]
    pub fn key(&self) -> &str {
        self.id.as_deref().unwrap_or("")
    }
}

/// A paid invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidInvoice {
    /// Its id.
    pub id: Text,
    /// Its customer.
    pub customer: Text,
    /// Its currency.
    pub currency: Currency,
    /// Its subtotal, minor units.
    pub subtotal_minor: i64,
    /// When it was paid.
    pub paid_at: Instant,
    /// The date of that in the programme's zone.
    pub paid_on: Date,
    /// How it was paid, "" if unknown.
    pub payment_method: Text,
    /// What processing it cost, minor units.
    pub processing_cost_minor: i64,
    /// Its items in order of their ids; never empty.
    pub items: Vec<Item>,
}

impl PaidInvoice {
    /// The processing cost of each item, minor units (domain.md §3.8).
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn item_costs_minor(&self) -> Result<Vec<i64>, Overflow> {
        if self.processing_cost_minor == 0 {
            return Ok(vec![0; self.items.len()]);
        }
        let weights: Vec<i64> = self.items.iter().map(|item| item.amount_minor).collect();
        by_largest_remainder(self.processing_cost_minor, &weights)
    }

    /// Its items and amounts, as refunds spread over them.
    #[must_use]
    pub fn item_amounts(&self) -> Vec<(&str, i64)> {
        self.items.iter().map(|item| (item.key(), item.amount_minor)).collect()
    }
}
