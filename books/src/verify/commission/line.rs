//! A commission line as it is stored, or as it should be.

use crate::load::row::{LoadError, Row};
use crate::verify::known::members::{micro, micro_or_null};

/// A line: stored, or asked for. Rates and shares are in millionths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) invoice: String,
    pub(crate) source: String,
    pub(crate) source_id: String,
    pub(crate) item: String,
    pub(crate) from_partner: String,
    pub(crate) role: String,
    pub(crate) component: String,
    pub(crate) rule: String,
    pub(crate) payee: String,
    pub(crate) level: i64,
    pub(crate) part: i64,
    pub(crate) period: String,
    pub(crate) currency: String,
    pub(crate) earned_on: String,
    pub(crate) tier: Option<String>,
    pub(crate) base_minor: i64,
    pub(crate) rate_micro: Option<i64>,
    pub(crate) rate_source: Option<String>,
    pub(crate) share_micro: i64,
    pub(crate) uncut_minor: Option<i64>,
    pub(crate) amount_minor: i64,
    pub(crate) referred_minor: i64,
    pub(crate) fund: Option<String>,
    pub(crate) late_from: Option<String>,
    pub(crate) version: i64,
}

/// What makes a line one of its programme (domain.md §2.7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) source: String,
    pub(crate) source_id: String,
    item: String,
    from_partner: String,
    role: String,
    component: String,
    rule: String,
    payee: String,
    level: i64,
    part: i64,
}

impl Line {
    pub(crate) const COLUMNS: &'static str = "invoice, source, source_id, item, from_partner, role, component, rule, payee, level, part, period, currency, \
         earned_on, tier, base_minor, rate, rate_source, share, uncut_minor, amount_minor, referred_minor, fund, late_from, version";

    /// Reads [`Line::COLUMNS`].
    pub(crate) fn read(row: &Row) -> Result<Self, LoadError> {
        Ok(Self {
            invoice: row.string(0)?,
            source: row.string(1)?,
            source_id: row.string(2)?,
            item: row.string(3)?,
            from_partner: row.string(4)?,
            role: row.string(5)?,
            component: row.string(6)?,
            rule: row.string(7)?,
            payee: row.string(8)?,
            level: row.int(9)?,
            part: row.int(10)?,
            period: row.string(11)?,
            currency: row.string(12)?,
            earned_on: row.string(13)?,
            tier: row.string_or_null(14)?,
            base_minor: row.int(15)?,
            rate_micro: micro_or_null(row, 16)?,
            rate_source: row.string_or_null(17)?,
            share_micro: micro(row, 18)?,
            uncut_minor: row.int_or_null(19)?,
            amount_minor: row.int(20)?,
            referred_minor: row.int(21)?,
            fund: row.string_or_null(22)?,
            late_from: row.string_or_null(23)?,
            version: row.int(24)?,
        })
    }

    pub(crate) fn key(&self) -> Key {
        Key {
            source: self.source.clone(),
            source_id: self.source_id.clone(),
            item: self.item.clone(),
            from_partner: self.from_partner.clone(),
            role: self.role.clone(),
            component: self.component.clone(),
            rule: self.rule.clone(),
            payee: self.payee.clone(),
            level: self.level,
            part: self.part,
        }
    }

    /// Whether it is of a credit of an item.
    pub(crate) fn is_of(&self, item: &str, partner: &str, role: &str) -> bool {
        self.item == item && self.from_partner == partner && self.role == role
    }

    /// Where a stored line differs from the one asked for.
    pub(crate) fn differences(&self, asked: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |name: &str, stored: String, asked: String| {
            if stored != asked {
                found.push(format!("{name} is {stored}, asked for is {asked}"));
            }
        };
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
        let number = |number: Option<i64>| number.map_or_else(|| "none".into(), |number| number.to_string());
        let rate = |micro: Option<i64>| micro.map_or_else(|| "none".into(), crate::verify::figures::micro_text);
        compare("amount", self.amount_minor.to_string(), asked.amount_minor.to_string());
        compare("base", self.base_minor.to_string(), asked.base_minor.to_string());
        compare("rate", rate(self.rate_micro), rate(asked.rate_micro));
        compare("share", rate(Some(self.share_micro)), rate(Some(asked.share_micro)));
        compare("rate source", or_none(&self.rate_source), or_none(&asked.rate_source));
        compare("amount before the cut", number(self.uncut_minor), number(asked.uncut_minor));
        compare("referred amount", self.referred_minor.to_string(), asked.referred_minor.to_string());
        compare("tier", or_none(&self.tier), or_none(&asked.tier));
        compare("fund", or_none(&self.fund), or_none(&asked.fund));
        compare("period", self.period.clone(), asked.period.clone());
        compare("origin period", or_none(&self.late_from), or_none(&asked.late_from));
        compare("currency", self.currency.clone(), asked.currency.clone());
        compare("day", self.earned_on.clone(), asked.earned_on.clone());
        compare("version", self.version.to_string(), asked.version.to_string());
        found
    }
}
