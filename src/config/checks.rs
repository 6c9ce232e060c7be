//! What a text must be to be a URL, a host or an account number.

use std::net::IpAddr;

use reqwest::Url;

/// An `http` or `https` URL that something can be appended to.
pub(super) fn web_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL, such as https://partners.example.com")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a name or password; URLs get logged");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or fragment; paths are appended to it");
    }
    Ok(url)
}

/// Whether a host names this machine and nothing else.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An IBAN without spaces.
///
/// # Source
/// ISO 13616: country, check digits, account; modulo 97 with letters as 10 to 35 is 1.
pub(super) fn iban(text: &str) -> Result<String, &'static str> {
    let iban: String = text.chars().filter(|c| *c != ' ').collect();
    let is_formed = (15..=34).contains(&iban.len())
        && iban.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && iban.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && iban.bytes().skip(2).take(2).all(|byte| byte.is_ascii_digit());
    if !is_formed {
        return Err("is not an IBAN");
    }
    let turned = iban.chars().skip(4).chain(iban.chars().take(4));
    let remainder = turned.filter_map(|c| c.to_digit(36)).fold(0_u32, |rest, digit| (rest * if digit > 9 { 100 } else { 10 } + digit) % 97);
    if remainder == 1 { Ok(iban) } else { Err("is not an IBAN: its check digits don't fit") }
}

/// A BIC of 8 or 11 characters.
///
/// # Source
/// ISO 9362.
pub(super) fn bic(text: &str) -> Result<String, &'static str> {
    let is_formed = matches!(text.len(), 8 | 11)
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && text.bytes().skip(4).take(2).all(|byte| byte.is_ascii_uppercase());
    if is_formed { Ok(text.to_owned()) } else { Err("is not a BIC of 8 or 11 characters") }
}
