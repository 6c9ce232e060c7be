//! Payouts as a file for the bank: ISO 20022 pain.001.001.09, in the character set and lengths of SEPA (interface.md §5).
//!
//! One file an execution date and account that pays; in it one batch a currency and way of paying, each with its count and sum.

mod business_day;
mod charset;
mod id;
mod pain001;
mod transfer;

pub use business_day::{execution_on, is_business_day, next_business_day};
pub use charset::{is_permitted, name, reference};
pub use id::{BankFileId, NotABankFileId, end_to_end, payout_of};
pub use transfer::{Debtor, NotForFile, Transfer, payable};

use crate::calendar::{Date, Instant};
use crate::exact::Exact;
use crate::payout::PayoutId;

/// Payouts of one file at most: it is made in one transaction, and everybody else who pays waits for that.
pub const PAYOUTS_MAX: usize = 2_000;
/// A sum has 18 digits at most (ISO 20022, `DecimalNumber`).
const SUM_DIGITS_MAX: u32 = 18;

/// A file is full: the payout belongs into the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is full")]
pub struct Full;

/// A file for the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankFile {
    id: BankFileId,
    made_at: Instant,
    execution_on: Date,
    debtor: Debtor,
    transfers: Vec<Transfer>,
    sum: Exact,
}

impl BankFile {
    /// A file without payouts; its execution date is [`execution_on`] of the moment at which it is made.
    #[must_use]
    pub fn new(id: BankFileId, debtor: Debtor, made_at: Instant) -> Self {
        Self { id, made_at, execution_on: execution_on(made_at), debtor, transfers: Vec::new(), sum: Exact::ZERO }
    }

    /// Takes a payout.
    ///
    /// # Errors
    /// [`Full`]. A file without payouts takes any.
    pub fn push(&mut self, transfer: Transfer) -> Result<(), Full> {
        let sum = self.sum.add(transfer.currency.major(transfer.amount_minor)).ok().filter(|sum| fits(*sum));
        match sum {
            Some(sum) if self.transfers.len() < PAYOUTS_MAX => {
                self.sum = sum;
                self.transfers.push(transfer);
                Ok(())
            }
            _ => Err(Full),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &BankFileId {
        &self.id
    }

    /// When the bank is asked to execute it.
    #[must_use]
    pub fn execution_on(&self) -> Date {
        self.execution_on
    }

    /// Its payouts, in the order in which they were taken.
    #[must_use]
    pub fn payouts(&self) -> impl ExactSizeIterator<Item = &PayoutId> {
        self.transfers.iter().map(|transfer| &transfer.payout)
    }

    /// Σ of all amounts, whatever their currencies (`CtrlSum`), as it is written.
    #[must_use]
    pub fn control_sum(&self) -> String {
        decimal(self.sum, self.transfers.iter().map(|transfer| transfer.currency.exponent()).max().unwrap_or(0))
    }

    /// Its bytes.
    ///
    /// # Errors
    /// It can't be written, which takes a machine without memory.
    ///
    /// # Idempotency
    /// The same file gives the same bytes.
    ///
    /// # Source
    /// ISO 20022 pain.001.001.09; EPC132-08.
    pub fn xml(&self) -> std::io::Result<String> {
        pain001::write(self)
    }
}

/// Whether a sum can be written in the digits that there are.
fn fits(sum: Exact) -> bool {
    sum.mantissa() < 10_i128.pow(SUM_DIGITS_MAX)
}

/// A sum with so many decimals, which it does not exceed.
fn decimal(sum: Exact, decimals: u32) -> String {
    let digits = sum.mantissa().unsigned_abs().to_string() + &"0".repeat(decimals.saturating_sub(sum.scale()).try_into().unwrap_or(0));
    let decimals = usize::try_from(decimals.max(sum.scale())).unwrap_or(0);
    if decimals == 0 {
        return digits;
    }
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    format!("{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payout::Destination;

    fn transfer(number: u64, amount_minor: i64, currency: &str) -> Transfer {
        let payout = format!("pay_0190b6a2-7c3d-7e4f-8a5b-{number:012x}").parse().unwrap();
        let to = Destination::bank("Acme", "DE89370400440532013000", "COBADEFF").unwrap();
        Transfer::new(&payout, (amount_minor, currency.parse().unwrap()), &to, "p/2026-04/acme").unwrap()
    }

    fn empty() -> BankFile {
        let debtor = Debtor::new("Vendor", "DE89370400440532013000", "COBADEFF").unwrap();
        let id = "bkf_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".parse().unwrap();
        BankFile::new(id, debtor, "2026-05-01T06:00:00Z".parse().unwrap())
    }

    #[test]
    fn sums_have_the_decimals_of_their_currencies() {
        let mut file = empty();
        for (number, amount_minor, currency, sum) in [(1, 12, "JPY", "12"), (2, 50, "EUR", "12.50"), (3, 1, "KWD", "12.501"), (4, 9, "USD", "12.591")]
        {
            file.push(transfer(number, amount_minor, currency)).unwrap();
            assert_eq!(file.control_sum(), sum);
        }
        assert_eq!((file.payouts().len(), file.execution_on().to_string()), (4, "2026-05-04".into()));
    }

    #[test]
    fn a_full_file_leaves_the_rest_for_the_next() {
        let mut file = empty();
        file.push(transfer(1, 999_999_999_999_999_999, "JPY")).unwrap();
        for currency in ["JPY", "KWD"] {
            let next = transfer(2, 1, currency);
            assert_eq!(file.push(next), Err(Full));
        }
        assert_eq!(file.control_sum(), "999999999999999999");
        let mut file = empty();
        for number in 0..2_000 {
            file.push(transfer(number, 1, "EUR")).unwrap();
        }
        assert_eq!((file.push(transfer(2_000, 1, "EUR")), file.control_sum().as_str()), (Err(Full), "20.00"));
    }
}
