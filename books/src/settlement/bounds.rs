//! Whether the sums of what a period is to post fit the books, told before any of it is stored (domain.md §2.1).
//!
//! Whatever settlements, accounts and wallets sum up of a period's lines, in any order, is at most the sum of the lines' sizes, their
//! signs left out. So it is that sum which must fit, on top of what was there before.

use std::collections::{BTreeMap, HashMap};

use program::calendar::Period;
use program::line::{Line, Text};
use program::money::Currency;
use sea_orm::{DatabaseTransaction, Value};

use crate::load::row::{LoadError, rows};

const ADVICE: &str = "9,223,372,036,854,775,807 minor units; look for absurd amounts among the facts of the period";

/// The sizes of a period's lines, added up as the lines are rated.
#[derive(Debug, Default)]
pub struct Bounds {
    settlements: HashMap<(Text, Currency), Sizes>,
    components: BTreeMap<(&'static str, Currency), u128>,
}

/// The sizes of a settlement's lines, minor units.
#[derive(Debug, Default, Clone, Copy)]
struct Sizes {
    cash: u128,
    coop: u128,
    referred: u128,
}

impl Sizes {
    fn largest(self) -> u128 {
        self.cash.max(self.coop).max(self.referred)
    }
}

/// Whether a sum can be added, or taken, where something is already.
fn fits(sum: u128, before_minor: i64) -> bool {
    sum.saturating_add(u128::from(before_minor.unsigned_abs())) <= u128::from(i64::MAX.unsigned_abs())
}

impl Bounds {
    /// Counts lines.
    pub fn count(&mut self, lines: &[Line]) {
        for line in lines {
            let size = u128::from(line.amount_minor.unsigned_abs());
            let sizes = self.settlements.entry((line.payee.clone(), line.currency)).or_default();
            let of_fund = if line.fund().is_some() { &mut sizes.coop } else { &mut sizes.cash };
            *of_fund += size;
            sizes.referred += u128::from(line.referred_minor.unsigned_abs());
            *self.components.entry((line.component.name(), line.currency)).or_insert(0) += size;
        }
    }

    /// All sums that do not fit, in words.
    ///
    /// # Errors
    /// The database failed or holds what can't be read.
    pub async fn exceeded(&self, tx: &DatabaseTransaction, program: &str, period: Period) -> Result<Vec<String>, LoadError> {
        let mut wrong = Vec::new();
        for ((payee, currency), sizes) in &self.settlements {
            if !fits(sizes.largest(), 0) {
                wrong.push(format!("the lines of {payee} in {currency} come to more than {ADVICE}"));
            }
        }
        let before = LargeBefore::load(tx, program, period, self.room_minor()).await?;
        for ((component, currency), sum) in &self.components {
            let account = format!("expense:{program}:{component}");
            if !fits(*sum, before.account(&account, *currency)) {
                wrong.push(format!("account {account} in {currency} would come to more than {ADVICE}"));
            }
        }
        if before.is_nothing() {
            return Ok(wrong);
        }
        for ((payee, currency), sizes) in self.settlements.iter().filter(|(_, sizes)| fits(sizes.largest(), 0)) {
            let key = (payee.to_string(), *currency);
            if !fits(sizes.cash, before.carried.get(&key).copied().unwrap_or(0)) {
                wrong.push(format!("the lines of {payee} in {currency} and what is carried into {period} come to more than {ADVICE}"));
            }
            for (fund, sum) in [("payable", sizes.cash), ("coop", sizes.coop)] {
                let account = format!("partner:{payee}:{program}:{fund}");
                if !fits(sum, before.account(&account, *currency)) {
                    wrong.push(format!("account {account} in {currency} would come to more than {ADVICE}"));
                }
            }
            if !fits(sizes.coop, before.wallets.get(&key).copied().unwrap_or(0)) {
                wrong.push(format!("the co-op wallet of {payee} in {currency} would come to more than {ADVICE}"));
            }
        }
        Ok(wrong)
    }

    /// What may be there before and be added to by any of the sums: as a rule all of it is, and nothing more need be read.
    fn room_minor(&self) -> i64 {
        let of_settlements = self.settlements.values().map(|sizes| sizes.largest()).max();
        let largest = of_settlements.max(self.components.values().copied().max()).unwrap_or(0);
        i64::MAX - i64::try_from(largest).unwrap_or(i64::MAX)
    }
}

/// What was there before and is larger, either way, than the room that the period's sums leave. Minor units.
#[derive(Debug, Default)]
struct LargeBefore {
    carried: HashMap<(String, Currency), i64>,
    accounts: HashMap<(String, Currency), i64>,
    wallets: HashMap<(String, Currency), i64>,
}

impl LargeBefore {
    async fn load(tx: &DatabaseTransaction, program: &str, period: Period, room_minor: i64) -> Result<Self, LoadError> {
        let carried = "SELECT partner, currency, carried_forward_minor FROM settlements \
                       WHERE program = ? AND period = ? AND (carried_forward_minor > ? OR carried_forward_minor < ?)";
        let accounts = "SELECT account, currency, balance_minor FROM account_balances WHERE balance_minor > ? OR balance_minor < ?";
        let wallets = "SELECT partner, currency, balance_minor FROM wallets WHERE program = ? AND (balance_minor > ? OR balance_minor < ?)";
        Ok(Self {
            carried: amounts(tx, carried, vec![program.into(), period.previous().to_string().into()], room_minor).await?,
            accounts: amounts(tx, accounts, Vec::new(), room_minor).await?,
            wallets: amounts(tx, wallets, vec![program.into()], room_minor).await?,
        })
    }

    fn is_nothing(&self) -> bool {
        self.carried.is_empty() && self.accounts.is_empty() && self.wallets.is_empty()
    }

    fn account(&self, account: &str, currency: Currency) -> i64 {
        self.accounts.get(&(account.to_owned(), currency)).copied().unwrap_or(0)
    }
}

async fn amounts(
    tx: &DatabaseTransaction,
    query: &str,
    mut values: Vec<Value>,
    room_minor: i64,
) -> Result<HashMap<(String, Currency), i64>, LoadError> {
    values.extend([room_minor.into(), (-room_minor).into()]);
    let mut amounts = HashMap::new();
    for row in rows(tx, query, values).await? {
        amounts.insert((row.string(0)?, row.currency(1)?), row.int(2)?);
    }
    Ok(amounts)
}
