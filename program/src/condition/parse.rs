//! The grammar: text in, a typed expression out; what is wrong is shown at its place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use winnow::combinator::{alt, cut_err, not, opt, peek, preceded, repeat, terminated};
use winnow::error::{ErrMode, ModalResult, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stateful, Stream};
use winnow::token::{any, literal, one_of, take_while};

use super::operand::{Typed, operand};
use super::{Condition, Fact, MetricKind, Scope, Value};

/// The deepest nesting of `not` and parentheses: recursion stays far from the end of any stack.
pub const DEPTH_LIMIT: u32 = 64;

/// The longest condition.
pub const LENGTH_LIMIT_BYTES: usize = 10_000;

/// A condition that can't be compiled.
///
/// # Units
/// `offset` and `length` are bytes of the condition's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// Where it goes wrong.
    pub offset: usize,
    /// How much of the text is meant; 0 at its end.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// A compiled condition; chains of `and` and `or` are flat, so that depth is nesting alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Comparison(Comparison),
}

/// Something that is looked at as one: true, false or unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) test: Test,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// The left side is true or false by itself.
    Holds,
    Compared(Operator, Operand),
    Among(Vec<Value<'static>>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    Fact(Fact),
    Literal(Value<'static>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

impl Comparison {
    /// The facts in it, left to right.
    pub(super) fn facts(&self) -> impl Iterator<Item = &Fact> {
        let right = match &self.test {
            Test::Compared(_, right) => Some(right),
            Test::Holds | Test::Among(_) => None,
        };
        [Some(&self.left), right].into_iter().flatten().filter_map(|operand| match operand {
            Operand::Fact(fact) => Some(fact),
            Operand::Literal(_) => None,
        })
    }
}

impl Condition {
    /// Compiles a condition; names and types are checked against the built-in facts of the scope and the declared metrics.
    ///
    /// # Errors
    /// [`ConditionError`] with the place and, for a misspelt name, the nearest known one.
    ///
    /// # Source
    /// interface.md §1, conditions.
    pub fn parse(source: &str, scope: Scope, metrics: &BTreeMap<String, MetricKind>) -> Result<Self, ConditionError> {
        if source.len() > LENGTH_LIMIT_BYTES {
            let message = format!("the condition has {} bytes; at most {LENGTH_LIMIT_BYTES} are taken", source.len());
            return Err(ConditionError { offset: 0, length: 0, message, help: Some("split it into several rules or a metric".into()) });
        }
        let state = Surroundings { scope, metrics, depth: 0, facts: BTreeSet::new() };
        let mut input = Stateful { input: LocatingSlice::new(source), state };
        match whole(&mut input) {
            Ok(expression) => Ok(Self { source: source.into(), expression, facts: input.state.facts.into_iter().collect() }),
            Err(ErrMode::Backtrack(error) | ErrMode::Cut(error)) => Err(error),
            // A whole text is never incomplete; the type asks for an answer all the same.
            Err(ErrMode::Incomplete(_)) => {
                Err(ConditionError { offset: source.len(), length: 0, message: "the condition is not complete".into(), help: None })
            }
        }
    }
}

/// What names are checked against, and what was found.
#[derive(Debug, Clone)]
pub(super) struct Surroundings<'s> {
    pub(super) scope: Scope,
    pub(super) metrics: &'s BTreeMap<String, MetricKind>,
    pub(super) depth: u32,
    pub(super) facts: BTreeSet<Fact>,
}

pub(super) type Input<'s> = Stateful<LocatingSlice<&'s str>, Surroundings<'s>>;
pub(super) type Parsed<O> = ModalResult<O, ConditionError>;

impl<I: Stream + Location> ParserError<I> for ConditionError {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        Self { offset: input.current_token_start(), length: 0, message: "this is not expected here".into(), help: None }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

fn whole(input: &mut Input<'_>) -> Parsed<Expression> {
    if input.input.trim_ascii().is_empty() {
        return wrong(0..input.input.len(), "the condition is empty", Some("write `true`, or leave it out"));
    }
    let expression = disjunction(input)?;
    space(input)?;
    if input.input.is_empty() { Ok(expression) } else { unexpected(input, "`and`, `or` or the end of the condition") }
}

fn disjunction(input: &mut Input<'_>) -> Parsed<Expression> {
    let first = conjunction(input)?;
    let rest: Vec<Expression> = repeat(0.., preceded((space, keyword("or")), cut_err(conjunction))).parse_next(input)?;
    Ok(chain(first, rest, Expression::Any))
}

fn conjunction(input: &mut Input<'_>) -> Parsed<Expression> {
    let first = negation(input)?;
    let rest: Vec<Expression> = repeat(0.., preceded((space, keyword("and")), cut_err(negation))).parse_next(input)?;
    Ok(chain(first, rest, Expression::All))
}

fn chain(first: Expression, rest: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if rest.is_empty() { first } else { join(std::iter::once(first).chain(rest).collect()) }
}

fn negation(input: &mut Input<'_>) -> Parsed<Expression> {
    space(input)?;
    if opt(keyword("not")).parse_next(input)?.is_some() {
        return Ok(Expression::Not(Box::new(nested(input, negation)?)));
    }
    if opt('(').parse_next(input)?.is_some() {
        return group(input);
    }
    comparison(input)
}

/// The rest of a group, after its `(`.
fn group(input: &mut Input<'_>) -> Parsed<Expression> {
    let open = input.previous_token_end().saturating_sub(1);
    let inner = nested(input, disjunction)?;
    space(input)?;
    if opt(')').parse_next(input)?.is_none() {
        if input.input.is_empty() {
            return wrong(open..open + 1, "this `(` is never closed", Some("add `)`"));
        }
        return unexpected(input, "`and`, `or` or `)`");
    }
    space(input)?;
    let after = input.current_token_start();
    if opt(alt((operator.void(), keyword("in")))).parse_next(input)?.is_some() {
        let end = input.previous_token_end();
        return wrong(after..end, "what stands in parentheses can't be compared", Some("put the whole comparison into the parentheses"));
    }
    Ok(inner)
}

fn nested<'s>(input: &mut Input<'s>, inner: fn(&mut Input<'s>) -> Parsed<Expression>) -> Parsed<Expression> {
    input.state.depth += 1;
    if input.state.depth > DEPTH_LIMIT {
        let here = input.current_token_start();
        return wrong(here..here, format!("`not` and parentheses are nested deeper than {DEPTH_LIMIT}"), Some("write it with fewer levels"));
    }
    let expression = inner(input)?;
    input.state.depth -= 1;
    Ok(expression)
}

fn comparison(input: &mut Input<'_>) -> Parsed<Expression> {
    let left = operand(input)?;
    space(input)?;
    let at = input.current_token_start();
    let test = if let Some(operator) = opt(operator).parse_next(input)? {
        let sign = at..input.previous_token_end();
        space(input)?;
        let right = operand(input)?;
        compatible(&left, operator, &sign, &right)?;
        Test::Compared(operator, right.operand)
    } else if opt(keyword("in")).parse_next(input)?.is_some() {
        Test::Among(list(input, &left)?)
    } else {
        stands_alone(input, &left)?;
        Test::Holds
    };
    let end = if matches!(test, Test::Holds) { left.span.end } else { input.previous_token_end() };
    refuse_chain(input)?;
    Ok(Expression::Comparison(Comparison { left: left.operand, test, span: left.span.start..end }))
}

/// `1 < a < 5` would be read as a comparison of a truth with a number.
fn refuse_chain(input: &mut Input<'_>) -> Parsed<()> {
    let next = peek(preceded(space, alt((operator.take(), keyword("in").take()))));
    if opt(next).parse_next(input)?.is_some() {
        space(input)?;
        return unexpected(input, "`and` or `or`: comparisons can't be chained");
    }
    Ok(())
}

fn operator(input: &mut Input<'_>) -> Parsed<Operator> {
    alt((
        "<=".value(Operator::AtMost),
        ">=".value(Operator::AtLeast),
        "==".value(Operator::Equal),
        "!=".value(Operator::Unequal),
        '<'.value(Operator::Less),
        '>'.value(Operator::Greater),
    ))
    .parse_next(input)
}

fn compatible(left: &Typed, operator: Operator, sign: &Range<usize>, right: &Typed) -> Parsed<()> {
    if left.kind != right.kind {
        let message = format!("{} is {} and can't be compared with {}, {}", left.text, article(left.kind), right.text, article(right.kind));
        return wrong(right.span.clone(), message, None::<&str>);
    }
    let orders = match operator {
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => true,
        Operator::Equal | Operator::Unequal => false,
    };
    match left.kind {
        MetricKind::Text if orders => wrong(sign.clone(), "text has no order", Some("compare text with ==, != or in")),
        MetricKind::Bool if orders => wrong(sign.clone(), "true and false have no order", Some("compare them with == or !=")),
        MetricKind::Number | MetricKind::Text | MetricKind::Bool => Ok(()),
    }
}

fn stands_alone(input: &mut Input<'_>, left: &Typed) -> Parsed<()> {
    let rest: &str = input.input.as_ref();
    if word(rest) == "not" && left.kind != MetricKind::Bool {
        let start = input.current_token_start();
        let help = format!("write `not` before the comparison, as in `not {} in [\"a\", \"b\"]`", left.text.trim_matches('`'));
        return wrong(start..start + 3, "`not` stands before a comparison, not in it", Some(help));
    }
    let what = match left.kind {
        MetricKind::Bool => return Ok(()),
        // What follows was meant to be a comparison: the sign is wrong, not the value.
        _ if !rest.is_empty() && !rest.starts_with(|c| c == ')' || is_name_char(c)) => {
            return unexpected(input, "a comparison like `<`, `==` or `in`");
        }
        MetricKind::Number => "a number",
        MetricKind::Text => "text",
    };
    wrong(left.span.clone(), format!("{} is {what}, not a condition", left.text), Some("compare it, as in `amount > 100` or `tier == \"gold\"`"))
}

/// `["a", "b"]`, of the left side's type.
fn list(input: &mut Input<'_>, left: &Typed) -> Parsed<Vec<Value<'static>>> {
    if left.kind == MetricKind::Bool {
        return wrong(
            left.span.clone(),
            format!("{} is true or false and can't be looked up in a list", left.text),
            Some("compare it with == or !="),
        );
    }
    space(input)?;
    let open = input.current_token_start();
    if opt('[').parse_next(input)?.is_none() {
        return unexpected(input, "a list in brackets after `in`");
    }
    let mut values = Vec::new();
    loop {
        space(input)?;
        if opt(']').parse_next(input)?.is_some() {
            break;
        }
        values.push(listed(input, left)?);
        space(input)?;
        if opt(',').parse_next(input)?.is_none() && peek(opt(']')).parse_next(input)?.is_none() {
            if input.input.is_empty() {
                return wrong(open..open + 1, "this `[` is never closed", Some("add `]`"));
            }
            return unexpected(input, "`,` or `]`");
        }
    }
    if values.is_empty() {
        return wrong(open..input.previous_token_end(), "the list is empty, so nothing is ever in it", None::<&str>);
    }
    Ok(values)
}

fn listed(input: &mut Input<'_>, left: &Typed) -> Parsed<Value<'static>> {
    let item = operand(input)?;
    match item.operand {
        Operand::Fact(_) => wrong(item.span, format!("{} is a fact; a list holds fixed values only", item.text), Some("write `a == b or …`")),
        Operand::Literal(_) if item.kind != left.kind => {
            wrong(item.span, format!("{} is {}, but {} is {}", item.text, article(item.kind), left.text, article(left.kind)), None::<&str>)
        }
        Operand::Literal(value) => Ok(value),
    }
}

pub(super) fn space(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., |c: char| c.is_ascii_whitespace()).void().parse_next(input)
}

/// A word of the grammar, and not the beginning of a longer name.
fn keyword<'s>(word: &'static str) -> impl Parser<Input<'s>, (), ErrMode<ConditionError>> {
    terminated(literal(word), not(one_of(is_name_char))).void()
}

pub(super) fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Something else than what the grammar allows here.
pub(super) fn unexpected<O>(input: &mut Input<'_>, expected: &str) -> Parsed<O> {
    let start = input.current_token_start();
    let rest: &str = input.input.as_ref();
    let help = match rest.as_bytes() {
        [] => return wrong(start..start, format!("expected {expected}, but the condition ends here"), None::<&str>),
        [b'&', ..] => Some("write `and`"),
        [b'|', ..] => Some("write `or`"),
        [b'!', ..] => Some("write `not`, or `!=` to compare"),
        [b'=', ..] => Some("write `==` to compare"),
        [b'\'', ..] => Some("texts stand in double quotes"),
        [b'+' | b'*' | b'/' | b'-', ..] => Some("conditions compare; they don't compute"),
        [b'(', ..] => Some("a list stands in brackets: [\"a\", \"b\"]"),
        [b')', ..] => Some("this `)` has no `(`"),
        _ if in_lower_case(word(rest), "and") => Some("write `and` in lower case"),
        _ if in_lower_case(word(rest), "or") => Some("write `or` in lower case"),
        _ if in_lower_case(word(rest), "in") => Some("write `in` in lower case"),
        _ if word(rest) == "not" => Some("`not` stands before a comparison, as in `not tier in [\"gold\"]`"),
        _ => None,
    };
    let token: &str = alt((take_while(1.., is_name_char), any.take())).parse_next(input)?;
    wrong(start..start + token.len(), format!("expected {expected}, found `{}`", short(token)), help)
}

/// The word with which a text begins.
fn word(text: &str) -> &str {
    text.split(|c| !is_name_char(c)).next().unwrap_or_default()
}

/// Whether a word is one of the grammar's in other letters.
fn in_lower_case(word: &str, keyword: &str) -> bool {
    word != keyword && word.eq_ignore_ascii_case(keyword)
}

pub(super) fn wrong<O>(span: Range<usize>, message: impl Into<String>, help: Option<impl Into<String>>) -> Parsed<O> {
    Err(ErrMode::Cut(ConditionError { offset: span.start, length: span.len(), message: message.into(), help: help.map(Into::into) }))
}

pub(super) fn short(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(60).chain(['…']).collect() } else { text.into() }
}

const fn article(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Number => "a number",
        MetricKind::Text => "text",
        MetricKind::Bool => "true or false",
    }
}
