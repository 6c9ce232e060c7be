//! The ledger's accounts under names that beancount and hledger take, and back (domain.md §7, docs/accounts.md).
//!
//! | ledger | journal |
//! |---|---|
//! | `expense:<program>:<component>` | `Expenses:<Program>:<Component>` |
//! | `partner:<id>:<program>:payable` | `Liabilities:Partners:<Id>:<Program>:Payable` |
//! | `partner:<id>:<program>:coop` and `…:coop-held` | `Liabilities:Partners:<Id>:<Program>:Coop` and `…:CoopHeld` |
//! | `payouts:in-transit` | `Assets:Payouts:InTransit` |
//! | `cash` | `Assets:Cash` |

use std::fmt::Write;

/// An account that the mapping does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger holds the account {0:?}, which has no place in a journal; the books were changed by something else than tributary")]
pub struct UnknownAccount(pub String);

/// Ends of partner accounts, in the ledger and in journals.
const FUNDS: [(&str, &str); 3] = [("payable", "Payable"), ("coop-held", "CoopHeld"), ("coop", "Coop")];

/// The name of a ledger account in a journal.
///
/// `program` is the programme of a transaction that posts to it: ids may hold colons, and it tells where the partner's id ends.
///
/// # Errors
/// The account is none of the ledger's.
pub fn to_journal(account: &str, program: &str) -> Result<String, UnknownAccount> {
    let unknown = || UnknownAccount(account.to_owned());
    match account {
        "cash" => return Ok("Assets:Cash".into()),
        "payouts:in-transit" => return Ok("Assets:Payouts:InTransit".into()),
        _ => {}
    }
    if let Some(rest) = account.strip_prefix("expense:") {
        let (of_program, component) = rest.rsplit_once(':').ok_or_else(unknown)?;
        return Ok(format!("Expenses:{}:{}", part(of_program), component_part(component)));
    }
    let rest = account.strip_prefix("partner:").ok_or_else(unknown)?;
    let (owner, fund) = rest.rsplit_once(':').ok_or_else(unknown)?;
    let fund = FUNDS.iter().find(|(name, _)| *name == fund).ok_or_else(unknown)?.1;
    let by_program = owner.strip_suffix(program).and_then(|rest| rest.strip_suffix(':')).map(|partner| (partner, program));
    let (partner, of_program) = by_program.or_else(|| owner.rsplit_once(':')).ok_or_else(unknown)?;
    Ok(format!("Liabilities:Partners:{}:{}:{fund}", part(partner), part(of_program)))
}

/// The ledger account of a name in a journal; `None` if it is none that [`to_journal`] gives.
#[must_use]
pub fn from_journal(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split(':').collect();
    match parts.as_slice() {
        ["Assets", "Cash"] => Some("cash".into()),
        ["Assets", "Payouts", "InTransit"] => Some("payouts:in-transit".into()),
        ["Expenses", program, component] => Some(format!("expense:{}:{}", id_of(program)?, component_of(component)?)),
        ["Liabilities", "Partners", partner, program, fund] => {
            let fund = FUNDS.iter().find(|(_, shown)| shown == fund)?.0;
            Some(format!("partner:{}:{}:{fund}", id_of(partner)?, id_of(program)?))
        }
        _ => None,
    }
}

/// One part of a journal account for any id: ASCII letters and digits stand for themselves, `-` is `--`, every other character is its code
/// point in hexadecimal between two hyphens. A part must begin with a capital or a digit, so a small first letter is made a capital; what
/// begins with a capital already is told apart by a single hyphen at the end, and anything else gets a `0` in front and that hyphen.
#[must_use]
pub fn part(id: &str) -> String {
    let mut out = String::with_capacity(id.len() + 2);
    let first = id.chars().next();
    let marked = match first {
        Some(first) if first.is_ascii_lowercase() || first.is_ascii_digit() => false,
        Some(first) if first.is_ascii_uppercase() => true,
        _ => {
            out.push('0');
            true
        }
    };
    for (place, character) in id.chars().enumerate() {
        match character {
            letter if letter.is_ascii_alphanumeric() => out.push(if place == 0 { letter.to_ascii_uppercase() } else { letter }),
            '-' => out.push_str("--"),
            // Writing to a string does not fail.
            other => {
                let _ = write!(out, "-{:X}-", u32::from(other));
            }
        }
    }
    if marked {
        out.push('-');
    }
    out
}

/// The id of a part; `None` if no id has it.
#[must_use]
pub fn id_of(shown: &str) -> Option<String> {
    let mut id = String::with_capacity(shown.len());
    let mut rest = shown;
    let mut marked = false;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character != '-' {
            id.push(character);
        } else if let Some(after) = rest.strip_prefix('-') {
            id.push('-');
            rest = after;
        } else if rest.is_empty() {
            marked = true;
        } else {
            let (code, after) = rest.split_once('-')?;
            id.push(u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?);
            rest = after;
        }
    }
    let first = id.chars().next()?;
    let id = match (marked, first) {
        (true, '0') => id[1..].to_owned(),
        (false, 'A'..='Z') => format!("{}{}", first.to_ascii_lowercase(), &id[1..]),
        _ => id,
    };
    // Only the one form that `part` gives is taken.
    (part(&id) == shown).then_some(id)
}

/// Components are words joined by `_`, and are shown with capitals instead: `rank_bonus` is `RankBonus`.
fn component_part(component: &str) -> String {
    let plain = !component.is_empty() && component.split('_').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    if !plain {
        // No component is written like this; the `0` keeps it apart from all that are.
        return format!("0{}", part(component));
    }
    component.split('_').map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])).collect()
}

fn component_of(shown: &str) -> Option<String> {
    if let Some(rest) = shown.strip_prefix('0') {
        return id_of(rest).filter(|component| component_part(component) == shown);
    }
    let mut component = String::with_capacity(shown.len() + 2);
    for letter in shown.chars() {
        if letter.is_ascii_uppercase() && !component.is_empty() {
            component.push('_');
        }
        component.push(letter.to_ascii_lowercase());
    }
    (component_part(&component) == shown).then_some(component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use program::component::REGISTRY;
    use proptest::prelude::*;

    fn is_legal(part: &str) -> bool {
        let head = part.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
        head && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    }

    #[test]
    fn ids_keep_their_look() {
        let table = [
            ("acme", "Acme"),
            ("Acme", "Acme-"),
            ("ACME-1", "ACME--1-"),
            ("7up", "7up"),
            ("acme-2026", "Acme--2026"),
            ("a_b.c", "A-5F-b-2E-c"),
            ("", "0-"),
            ("é", "0-E9--"),
            ("0é", "0-E9-"),
            ("=1+1 Prog;x", "0-3D-1-2B-1-20-Prog-3B-x-"),
            ("株", "0-682A--"),
            ("-x", "0--x-"),
            ("a-", "A--"),
            ("A-", "A---"),
        ];
        for (id, shown) in table {
            assert_eq!(part(id), shown);
            assert_eq!(id_of(shown).as_deref(), Some(id), "{shown}");
            assert!(is_legal(shown), "{shown}");
        }
    }

    #[test]
    fn the_documented_examples_are_right() {
        let page = include_str!("../../../docs/accounts.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| id | part |")).skip(2).take_while(|line| line.starts_with('|'));
        let mut seen = 0;
        for row in rows {
            let cells: Vec<&str> = row.split('`').collect();
            assert_eq!(part(cells[1]), cells[3], "{row}");
            seen += 1;
        }
        assert!(seen >= 7, "{seen} examples");
    }

    #[test]
    fn what_no_id_has_is_refused() {
        for shown in ["", "acme", "A-5f-b", "A-XYZ-", "0Acme-", "A-41-", "é", "A-D800-", "A-5F"] {
            assert_eq!(id_of(shown), None, "{shown}");
        }
    }

    #[test]
    fn accounts_of_every_kind_are_mapped_and_read_back() {
        let table = [
            ("cash", "p", "Assets:Cash"),
            ("payouts:in-transit", "p", "Assets:Payouts:InTransit"),
            ("expense:reseller:rank_bonus", "reseller", "Expenses:Reseller:RankBonus"),
            ("partner:acme:reseller:payable", "reseller", "Liabilities:Partners:Acme:Reseller:Payable"),
            ("partner:acme:reseller:coop", "reseller", "Liabilities:Partners:Acme:Reseller:Coop"),
            ("partner:acme:reseller:coop-held", "reseller", "Liabilities:Partners:Acme:Reseller:CoopHeld"),
            ("partner:a:b:c:d:payable", "c:d", "Liabilities:Partners:A-3A-b:C-3A-d:Payable"),
            ("partner:a:b:c:payable", "", "Liabilities:Partners:A-3A-b:C:Payable"),
        ];
        for (account, program, shown) in table {
            assert_eq!(to_journal(account, program).unwrap(), shown);
            assert_eq!(from_journal(shown).as_deref(), Some(account));
        }
        for account in ["", "cash:x", "partner:a:payable", "partner:a:b:savings", "expense:x", "income:a:b"] {
            assert!(to_journal(account, "p").is_err(), "{account}");
        }
        for shown in ["", "Assets", "Assets:Cash:X", "Expenses:Reseller", "Liabilities:Partners:Acme:Reseller:Savings"] {
            assert_eq!(from_journal(shown), None, "{shown}");
        }
    }

    #[test]
    fn every_component_has_a_plain_name() {
        for component in REGISTRY {
            let shown = component_part(component.name());
            assert!(shown.chars().all(|c| c.is_ascii_alphabetic()), "{shown}");
            assert_eq!(component_of(&shown).as_deref(), Some(component.name()));
        }
    }

    proptest! {
        #[test]
        fn any_id_comes_back(id in "\\PC{1,20}") {
            let shown = part(&id);
            prop_assert!(is_legal(&shown), "{}", shown);
            prop_assert_eq!(id_of(&shown), Some(id));
        }

        #[test]
        fn any_account_comes_back(partner in "\\PC{1,12}", program in "\\PC{1,12}", component in "\\PC{1,12}", fund in 0_usize..3) {
            prop_assume!(!component.contains(':'));
            for account in [format!("partner:{partner}:{program}:{}", FUNDS[fund].0), format!("expense:{program}:{component}")] {
                let shown = to_journal(&account, &program).unwrap();
                prop_assert!(shown.split(':').all(is_legal), "{}", shown);
                prop_assert_eq!(from_journal(&shown), Some(account));
            }
        }

        #[test]
        fn only_one_name_stands_for_an_id(shown in "[A-Z0-9][A-Za-z0-9-]{0,12}") {
            if let Some(id) = id_of(&shown) {
                prop_assert_eq!(part(&id), shown);
            }
        }
    }
}
