//! Facts to try conditions on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use program::condition::{Condition, ConditionError, Fact, FactError, Facts, MetricKind, Scope, Value};

pub(crate) fn metrics() -> BTreeMap<String, MetricKind> {
    [("csat", MetricKind::Number), ("nps", MetricKind::Number), ("region", MetricKind::Text), ("strategic", MetricKind::Bool)]
        .map(|(name, kind)| (name.to_owned(), kind))
        .into()
}

pub(crate) fn parsed(source: &str) -> Condition {
    Condition::parse(source, Scope::When, &metrics()).unwrap_or_else(|error| panic!("{source}: {error:?}"))
}

pub(crate) fn refused(source: &str) -> ConditionError {
    Condition::parse(source, Scope::When, &metrics()).expect_err(source)
}

/// Facts from a table; what is not in it is missing. Remembers what was asked.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) values: BTreeMap<Fact, Value<'static>>,
    pub(crate) asked: RefCell<Vec<Fact>>,
    pub(crate) fails_for: Option<Fact>,
}

impl Table {
    pub(crate) fn of<const N: usize>(values: [(Fact, Value<'static>); N]) -> Self {
        Self { values: values.into(), ..Self::default() }
    }
}

impl Facts for Table {
    fn value(&self, fact: &Fact) -> Result<Option<Value<'_>>, FactError> {
        self.asked.borrow_mut().push(fact.clone());
        if self.fails_for.as_ref() == Some(fact) {
            return Err(FactError::Overflow);
        }
        Ok(self.values.get(fact).cloned())
    }
}

pub(crate) fn number(text: &str) -> Value<'static> {
    Value::Number(text.parse().unwrap())
}

pub(crate) fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.into())
}

pub(crate) fn metric(name: &str) -> Fact {
    Fact::Metric(name.into())
}

pub(crate) fn world() -> Table {
    Table::of([
        (Fact::Amount, number("100.5")),
        (Fact::ContractValue, number("150000")),
        (Fact::NewLogo, Value::Bool(true)),
        (Fact::Registered, Value::Bool(false)),
        (Fact::Product, text("E5")),
        (Fact::Motion, text("")),
        (Fact::Tier, text("gold")),
        (metric("csat"), number("4.2")),
    ])
}
