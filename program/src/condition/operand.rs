//! The sides of a comparison: literals, and facts that are known where the condition stands.

use std::ops::Range;

use winnow::combinator::{alt, opt, peek, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::take_while;

use super::literal::number;
use super::names::{BUILT_IN, RESERVED, WORDS, nearest};
use super::parse::{Input, Operand, Parsed, Surroundings, is_name_char, short, space, unexpected, wrong};
use super::{Fact, MetricKind, Scope, Value};

/// An operand with what checking its type needs.
pub(super) struct Typed {
    pub(super) operand: Operand,
    pub(super) kind: MetricKind,
    pub(super) span: Range<usize>,
    pub(super) text: String,
}

/// A fact or a literal, with its type.
pub(super) fn operand(input: &mut Input<'_>) -> Parsed<Typed> {
    let start = input.current_token_start();
    let rest: &str = input.input.as_ref();
    let (operand, kind) = match rest.chars().next() {
        Some('"') => (Operand::Literal(Value::Text(text(input)?.into())), MetricKind::Text),
        Some('0'..='9' | '-') => (Operand::Literal(numeral(input)?), MetricKind::Number),
        Some(c) if is_name_char(c) => named(input)?,
        _ => return unexpected(input, "a fact, a number, a text, `true` or `false`"),
    };
    let span = start..input.previous_token_end();
    let shown = rest.get(..span.len()).unwrap_or_default();
    let text = if shown.len() > 60 { "this value".to_owned() } else { format!("`{shown}`") };
    Ok(Typed { operand, kind, span, text })
}

fn numeral(input: &mut Input<'_>) -> Parsed<Value<'static>> {
    let start = input.current_token_start();
    let run = take_while(0.., |c| is_name_char(c) || c == '.');
    let digits: &str = (opt('-'), run, opt('%')).take().parse_next(input)?;
    match number(digits) {
        Ok(value) => Ok(Value::Number(value)),
        Err(error) => wrong(start..input.previous_token_end(), format!("`{}` {error}", short(digits)), Some(error.help())),
    }
}

fn text(input: &mut Input<'_>) -> Parsed<String> {
    let start = input.current_token_start();
    let part = alt((take_while(1.., |c| c != '"' && c != '\\'), preceded('\\', alt(("\"", "\\")))));
    let parts = repeat(0.., part).fold(String::new, |mut text, part: &str| {
        text.push_str(part);
        text
    });
    let text = preceded('"', parts).parse_next(input)?;
    let end = input.previous_token_end();
    if opt('"').parse_next(input)?.is_some() {
        return Ok(text);
    }
    if opt('\\').parse_next(input)?.is_some() {
        return wrong(end..end + 1, "this escape is not known", Some("in a text write \\\" for a quote and \\\\ for a backslash"));
    }
    wrong(start..start + 1, "this text is never closed", Some("add `\"`"))
}

/// A word that stands for a value: `true`, `false` or a fact.
fn named(input: &mut Input<'_>) -> Parsed<(Operand, MetricKind)> {
    let start = input.current_token_start();
    let name: &str = take_while(1.., is_name_char).parse_next(input)?;
    let span = start..input.previous_token_end();
    match name {
        "true" | "false" => return Ok((Operand::Literal(Value::Bool(name == "true")), MetricKind::Bool)),
        "and" | "or" | "not" | "in" => {
            return wrong(span, format!("expected a fact or a value before `{name}`"), None::<&str>);
        }
        _ => {}
    }
    if opt(preceded(space, peek('('))).parse_next(input)?.is_some() {
        return wrong(span, format!("the form {}(…) is reserved for a later release", short(name)), Some("name facts without parentheses"));
    }
    let (fact, kind) = fact(&input.state, name, &span)?;
    input.state.facts.insert(fact.clone());
    Ok((Operand::Fact(fact), kind))
}

fn fact(known: &Surroundings<'_>, name: &str, span: &Range<usize>) -> Parsed<(Fact, MetricKind)> {
    if let Some(built_in) = BUILT_IN.iter().find(|b| b.name == name) {
        return match known.scope {
            _ if built_in.allowed_in(known.scope) => Ok((built_in.fact.clone(), built_in.kind)),
            Scope::When => wrong(span.clone(), format!("`{name}` is known in reviews only"), Some("use it in a tier's `requires`")),
            Scope::Requires => wrong(span.clone(), format!("`{name}` is not known in reviews"), Some("use it in a `when`")),
        };
    }
    if let Some(&kind) = known.metrics.get(name) {
        return Ok((Fact::Metric(name.into()), kind));
    }
    if RESERVED.contains(&name) {
        return wrong(span.clone(), format!("`{name}` is reserved for a later release; it is not available yet"), None::<&str>);
    }
    let usable = BUILT_IN.iter().filter(|b| b.allowed_in(known.scope)).map(|b| b.name);
    let help = match nearest(name, usable.chain(known.metrics.keys().map(String::as_str)).chain(WORDS)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "declare it under [metrics], or use a built-in fact".into(),
    };
    wrong(span.clone(), format!("unknown fact `{}`", short(name)), Some(help))
}
