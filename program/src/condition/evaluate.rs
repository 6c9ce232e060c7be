//! Evaluation: three-valued, exact, and lazy about the facts it asks for.

use std::borrow::Cow;

use super::parse::{Comparison, Expression, Operand, Operator, Test};
use super::{Condition, Fact, Value};
use crate::calendar::Date;
use crate::exact::{Exact, Overflow};
use crate::money::Currency;

/// What a condition can be: a comparison with a missing value is unknown (Kleene's logic).
///
/// # Source
/// interface.md §1, conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// A value that decides it is missing.
    Unknown,
}

impl Truth {
    /// The opposite; the opposite of unknown is unknown.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A fact that was asked for can't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// No exchange rate serves.
    #[error("no exchange rate from {from} to {to} within the 7 days up to {on}; import one with `import fx`")]
    MissingRate {
        /// Converted from.
        from: Currency,
        /// Converted to.
        to: Currency,
        /// The day of the conversion.
        on: Date,
    },
    /// A converted figure is too large.
    #[error("{}", Overflow)]
    Overflow,
    /// A stored value is not what its declaration says.
    #[error("{0}")]
    Data(String),
}

impl From<Overflow> for FactError {
    fn from(_: Overflow) -> Self {
        Self::Overflow
    }
}

/// Where a condition finds the values of its facts.
pub trait Facts {
    /// The value of a fact; `None` where it is missing. Asked only when it can still decide.
    ///
    /// # Errors
    /// [`FactError`] when the value can't be told.
    fn value(&self, fact: &Fact) -> Result<Option<Value<'_>>, FactError>;
}

/// A comparison that was looked at, for `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The comparison as written.
    pub comparison: String,
    /// The name of the fact in it.
    pub fact: String,
    /// The fact's value; `None` when it is missing.
    pub value: Option<String>,
    /// What came out.
    pub truth: Truth,
}

impl Condition {
    /// Whether it holds; what is unknown does not.
    ///
    /// # Errors
    /// [`FactError`] of the facts.
    pub fn holds(&self, facts: &impl Facts) -> Result<bool, FactError> {
        Ok(self.evaluate(facts)? == Truth::True)
    }

    /// Whether it holds, does not, or can't be known.
    ///
    /// # Errors
    /// [`FactError`] of the facts.
    pub fn evaluate(&self, facts: &impl Facts) -> Result<Truth, FactError> {
        self.expression.truth(&mut |comparison| comparison.truth(facts))
    }

    /// As [`Condition::evaluate`], with each fact of each comparison that was looked at, in order.
    ///
    /// # Errors
    /// [`FactError`] of the facts.
    pub fn decided_by(&self, facts: &impl Facts) -> Result<(Truth, Vec<Decided>), FactError> {
        let mut decided = Vec::new();
        let truth = self.expression.truth(&mut |comparison| {
            let truth = comparison.truth(facts)?;
            for fact in comparison.facts() {
                let value = facts.value(fact)?.map(|value| value.to_string());
                let missing = value.is_none();
                let text = self.source.get(comparison.span.clone()).unwrap_or_default();
                decided.push(Decided { comparison: text.into(), fact: fact.name().into(), value, truth });
                // Nobody looked further: the other side may not even be known.
                if missing {
                    break;
                }
            }
            Ok(truth)
        })?;
        Ok((truth, decided))
    }
}

impl Expression {
    /// Looks at comparisons from left to right, until the rest can't matter.
    fn truth(&self, look: &mut impl FnMut(&Comparison) -> Result<Truth, FactError>) -> Result<Truth, FactError> {
        match self {
            Self::Comparison(comparison) => look(comparison),
            Self::Not(inner) => Ok(inner.truth(look)?.negated()),
            Self::All(parts) => decide(parts, Truth::False, look),
            Self::Any(parts) => decide(parts, Truth::True, look),
        }
    }
}

/// `and` and `or` are mirror images: one value settles the whole, else an unknown part leaves it unknown.
fn decide(parts: &[Expression], settles: Truth, look: &mut impl FnMut(&Comparison) -> Result<Truth, FactError>) -> Result<Truth, FactError> {
    let mut whole = settles.negated();
    for part in parts {
        let truth = part.truth(look)?;
        if truth == settles {
            return Ok(settles);
        }
        if truth == Truth::Unknown {
            whole = Truth::Unknown;
        }
    }
    Ok(whole)
}

impl Comparison {
    fn truth(&self, facts: &impl Facts) -> Result<Truth, FactError> {
        let Some(left) = self.left.value(facts)? else { return Ok(Truth::Unknown) };
        match &self.test {
            Test::Holds => match left {
                Value::Bool(holds) => Ok(holds.into()),
                Value::Number(_) | Value::Text(_) => Err(self.mistyped()),
            },
            Test::Compared(operator, right) => {
                let Some(right) = right.value(facts)? else { return Ok(Truth::Unknown) };
                operator.holds(&left, &right).map(Truth::from).ok_or_else(|| self.mistyped())
            }
            Test::Among(list) => {
                let mut found = false;
                for listed in list {
                    found |= Operator::Equal.holds(&left, listed).ok_or_else(|| self.mistyped())?;
                }
                Ok(found.into())
            }
        }
    }

    /// Types are checked when the condition is read, so only stored data can be of another type than declared.
    fn mistyped(&self) -> FactError {
        let names: Vec<&str> = self.facts().map(Fact::name).collect();
        FactError::Data(format!("the value of {} is not of its declared type; correct what was recorded", names.join(" or ")))
    }
}

impl Operand {
    fn value<'a>(&'a self, facts: &'a impl Facts) -> Result<Option<Value<'a>>, FactError> {
        match self {
            Self::Fact(fact) => facts.value(fact),
            Self::Literal(value) => Ok(Some(value.borrowed())),
        }
    }
}

impl Value<'_> {
    /// The same value without a copy of its text.
    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Bool(value) => Value::Bool(*value),
        }
    }
}

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

impl Operator {
    /// `None` when the sides can't be compared this way.
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
        match (left, right) {
            (Value::Number(left), Value::Number(right)) => Some(self.orders(*left, *right)),
            (Value::Text(left), Value::Text(right)) => self.equates(left == right),
            (Value::Bool(left), Value::Bool(right)) => self.equates(left == right),
            (Value::Number(_) | Value::Text(_) | Value::Bool(_), _) => None,
        }
    }

    fn orders(self, left: Exact, right: Exact) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }

    fn equates(self, equal: bool) -> Option<bool> {
        match self {
            Self::Equal => Some(equal),
            Self::Unequal => Some(!equal),
            Self::Less | Self::AtMost | Self::Greater | Self::AtLeast => None,
        }
    }
}
