//! A payout as a bank is told of it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::charset;
use crate::money::Currency;
use crate::payout::{Account, Destination, Payout, PayoutId};

/// An amount has 18 digits at most (ISO 20022, `ActiveOrHistoricCurrencyAndAmount`).
const AMOUNT_MAX_MINOR: i64 = 999_999_999_999_999_999;
/// The most that SEPA transfers at once, in cents.
const SEPA_AMOUNT_MAX_MINOR: i64 = 99_999_999_999;
/// The countries of whose accounts SEPA transfers take euros, as their account numbers begin.
///
/// # Source
/// EPC409-09, the geographical scope of the SEPA schemes.
const SEPA_COUNTRIES: [&str; 42] = [
    "AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA",
];

/// Why a payout can't be in a file for the bank.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotForFile {
    /// The bank knows no tokens.
    #[error("its destination is a token and no bank account; add one with `payout destination add --iban … --bic …`")]
    Token,
    /// A holder without a name.
    #[error("the holder's name has no letter or digit that can be written in the characters that banks take; add the destination under another name")]
    Name,
    /// The amount.
    #[error("its amount has more than 18 digits")]
    Amount,
    /// The request.
    #[error("the bytes of its request can't be read, or ask for something else; see `verify`")]
    Request,
}

/// The account that pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debtor {
    name: String,
    pub(super) iban: String,
    pub(super) bic: String,
}

impl Debtor {
    /// The account, whose holder is written as banks take it.
    ///
    /// # Errors
    /// [`NotForFile::Name`].
    pub fn new(name: &str, iban: &str, bic: &str) -> Result<Self, NotForFile> {
        Ok(Self { name: charset::name(name).ok_or(NotForFile::Name)?, iban: iban.to_owned(), bic: bic.to_owned() })
    }

    /// Its holder, in the characters that banks take.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    #[must_use]
    pub fn iban(&self) -> &str {
        &self.iban
    }
}

/// A payout as a bank is told of it: every text is within the characters and lengths that banks take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub(super) payout: PayoutId,
    pub(super) amount_minor: i64,
    pub(super) currency: Currency,
    pub(super) name: String,
    pub(super) iban: String,
    pub(super) bic: String,
    pub(super) reference: String,
}

/// How a bank moves the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    /// A SEPA credit transfer; each side pays its own bank.
    Sepa,
    /// As the bank and its customer have agreed; charges are shared.
    Other,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    payout: String,
    amount: String,
    currency: String,
    #[serde(borrow)]
    destination: &'a RawValue,
}

impl Transfer {
    /// A payout by the bytes of its request: what was fixed when it was admitted, and nothing that has changed since.
    ///
    /// # Errors
    /// [`NotForFile`].
    pub fn of(payout: &Payout) -> Result<Self, NotForFile> {
        let request = payout.request.as_deref().ok_or(NotForFile::Request)?;
        let Body { data } = serde_json::from_str(request).map_err(|_| NotForFile::Request)?;
        let destination = Destination::from_canonical(data.destination.get()).ok_or(NotForFile::Request)?;
        let is_as_asked = data.payout == payout.id.as_str()
            && data.amount == payout.currency.format_minor(payout.amount_minor)
            && data.currency == payout.currency.code()
            && payout.destination_digest.as_deref() == Some(destination.digest().as_str());
        if !is_as_asked {
            return Err(NotForFile::Request);
        }
        Self::new(&payout.id, (payout.amount_minor, payout.currency), &destination, &payout.reference)
    }

    /// A payout by its parts.
    ///
    /// # Errors
    /// [`NotForFile`].
    pub fn new(payout: &PayoutId, (amount_minor, currency): (i64, Currency), to: &Destination, reference: &str) -> Result<Self, NotForFile> {
        let Account::Iban { iban, bic } = to.account() else { return Err(NotForFile::Token) };
        let name = charset::name(to.name()).ok_or(NotForFile::Name)?;
        if !(1..=AMOUNT_MAX_MINOR).contains(&amount_minor) {
            return Err(NotForFile::Amount);
        }
        let reference = charset::reference(reference).unwrap_or_else(|| super::end_to_end(payout));
        Ok(Self { payout: payout.clone(), amount_minor, currency, name, iban: iban.clone(), bic: bic.clone(), reference })
    }

    /// SEPA takes euros between accounts of its countries, up to a billion.
    pub(super) fn service(&self, debtor: &Debtor) -> Service {
        let is_in = |iban: &str| iban.get(..2).is_some_and(|country| SEPA_COUNTRIES.contains(&country));
        let is_sepa = self.currency.code() == "EUR" && self.amount_minor <= SEPA_AMOUNT_MAX_MINOR && is_in(&self.iban) && is_in(&debtor.iban);
        if is_sepa { Service::Sepa } else { Service::Other }
    }
}

/// Whether a destination can be paid by a file at all.
///
/// # Errors
/// [`NotForFile::Token`], [`NotForFile::Name`].
pub fn payable(destination: &Destination) -> Result<(), NotForFile> {
    match destination.account() {
        Account::Token(_) => Err(NotForFile::Token),
        Account::Iban { .. } => charset::name(destination.name()).map(|_| ()).ok_or(NotForFile::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(currency: &str, amount_minor: i64, iban: &str) -> Transfer {
        let payout = "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".parse().unwrap();
        let to = Destination::bank("Acme", iban, "COBADEFF").unwrap();
        Transfer::new(&payout, (amount_minor, currency.parse().unwrap()), &to, "p/2026-04/acme").unwrap()
    }

    #[test]
    fn sepa_is_for_euros_between_its_countries() {
        let german = Debtor::new("Vendor", "DE89370400440532013000", "COBADEFF").unwrap();
        let turkish = Debtor::new("Vendor", "TR330006100519786457841326", "COBADEFF").unwrap();
        for (currency, amount_minor, iban, debtor, service) in [
            ("EUR", 1, "NO9386011117947", &german, Service::Sepa),
            ("EUR", 99_999_999_999, "GB29NWBK60161331926819", &german, Service::Sepa),
            ("EUR", 100_000_000_000, "GB29NWBK60161331926819", &german, Service::Other),
            ("EUR", 1, "TR330006100519786457841326", &german, Service::Other),
            ("EUR", 1, "NO9386011117947", &turkish, Service::Other),
            ("USD", 1, "DE89370400440532013000", &german, Service::Other),
        ] {
            assert_eq!(transfer(currency, amount_minor, iban).service(debtor), service, "{currency} {amount_minor} {iban}");
        }
    }

    #[test]
    fn what_no_bank_can_pay_is_said() {
        let payout: PayoutId = "pay_0190b6a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".parse().unwrap();
        let euros = |minor| (minor, "EUR".parse().unwrap());
        let iban = |name: &str| Destination::bank(name, "DE89370400440532013000", "COBADEFF").unwrap();
        let token = Destination::token("Acme", "tok_1").unwrap();
        assert_eq!(Transfer::new(&payout, euros(1), &token, "x"), Err(NotForFile::Token));
        assert_eq!(Transfer::new(&payout, euros(1), &iban("…"), "x"), Err(NotForFile::Name));
        assert_eq!(Transfer::new(&payout, euros(0), &iban("A"), "x"), Err(NotForFile::Amount));
        assert_eq!(Transfer::new(&payout, euros(i64::MAX), &iban("A"), "x"), Err(NotForFile::Amount));
        assert_eq!((payable(&token), payable(&iban("!")), payable(&iban("A"))), (Err(NotForFile::Token), Err(NotForFile::Name), Ok(())));
        assert_eq!(Transfer::new(&payout, euros(1), &iban("A"), "//").unwrap().reference, "PAY0190B6A27C3D7E4F8A5B6C7D8E9F0A1B");
    }
}
