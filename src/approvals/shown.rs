//! What the page of a claim says, as data for its template.

use books::contacts;
use books::load::row::LoadError;
use books::mdf::decide::refusal;
use books::mdf::sign_in::Session;
use books::mdf::{self, Claim, MdfError, asked, campaigns, show};
use books::users;
use program::calendar::Instant;
use sea_orm::DatabaseTransaction;
use serde_json::{Value as Json, json};

/// A claim as it is shown to a person, with whether it waits for that person and what the person has decided.
pub(super) async fn shown(tx: &DatabaseTransaction, claim: &Claim, session: &Session, now: Instant) -> Result<Json, MdfError> {
    let person = &session.person;
    let money = |minor| claim.currency.format_minor(minor);
    let steps = mdf::steps(tx, &claim.id, claim.round).await?;
    let waiting = asked::waiting(tx, &claim.id).await?;
    let refused = match &waiting {
        Some(waiting) => refusal(tx, waiting, person, now).await?.map(|refusal| refusal.to_string()),
        None => Some(String::new()),
    };
    let campaign = campaigns::find(tx, &claim.campaign).await?;
    let partner = contacts::of_partner(tx, &claim.partner).await?.map_or_else(|| claim.partner.clone(), |contact| contact.name);
    let destination = show::destination(tx, claim).await?;
    let own = steps.iter().find(|step| step.decision.as_ref().is_some_and(|decision| decision.by == person.id));
    let mut told = Vec::new();
    for step in &steps {
        let decision = step.decision.as_ref();
        let by = match decision {
            Some(decision) => Some(name(tx, &decision.by).await?),
            None => None,
        };
        told.push(json!({
            "role": step.role_asked(), "status": step.status, "by": by, "at": decision.map(|decision| moment(decision.at)),
            "amount": decision.filter(|decision| decision.is_approval).map(|decision| grouped(&money(decision.amount_minor))),
            "reason": decision.and_then(|decision| decision.reason.as_deref()),
        }));
    }
    let proofs = mdf::proofs(tx, &claim.id).await?.into_iter();
    let proofs: Vec<Json> =
        proofs.map(|proof| json!({ "name": proof.name, "sha256": proof.sha256, "size": size(proof.bytes), "kind": proof.media_type })).collect();
    let due_at = waiting.as_ref().and_then(|waiting| waiting.step.due_at);
    Ok(json!({
        "id": claim.id, "status": claim.status.name(), "reason": claim.reason, "currency": claim.currency.code(),
        "amount": grouped(&money(claim.amount_minor)), "amount_plain": money(claim.amount_minor), "asked": grouped(&money(claim.asked_minor)),
        "receipts": grouped(&money(claim.receipts_minor)), "is_lowered": claim.amount_minor != claim.asked_minor,
        "campaign": campaign.name, "campaign_id": campaign.id, "partner": partner, "partner_id": claim.partner, "program": claim.program,
        "submitted_by": name(tx, &claim.submitted_by).await?, "submitted_at": moment(claim.submitted_at), "round": claim.round,
        "destination": destination.map(|(name, account)| json!({ "name": name, "account": account })),
        "digest": match &waiting { Some(waiting) => waiting.digest.clone(), None => asked::digest(tx, claim).await? },
        "step": waiting.as_ref().map(|waiting| format!("{}.{}", waiting.claim.round, waiting.step.ordinal)),
        "role": waiting.as_ref().map(|waiting| waiting.step.role_asked()), "due_at": due_at.map(moment), "refused": refused,
        "steps": told, "proofs": proofs, "own": own.and_then(|step| step.decision.as_ref()).map(|decision| json!({
            "is_approval": decision.is_approval, "at": moment(decision.at), "amount": grouped(&money(decision.amount_minor)),
        })),
        "person": { "id": person.id, "name": person.name }, "signed_in_until": moment(session.expires_at),
    }))
}

/// A person's name, and the id beside it: names are not unique.
async fn name(tx: &DatabaseTransaction, id: &str) -> Result<String, LoadError> {
    let user = users::find(tx, id).await?;
    Ok(user.filter(|user| user.name != user.id).map_or_else(|| id.to_owned(), |user| format!("{} ({id})", user.name)))
}

/// To the minute, as people read it.
fn moment(at: Instant) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or(time))
}

/// Digits in groups of three, parted by narrow spaces that break no line.
fn grouped(amount: &str) -> String {
    let (sign, digits) = amount.strip_prefix('-').map_or(("", amount), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut text = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// Bytes, as people read them.
fn size(bytes: i64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        ..=0 | 2..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        for (amount, text) in [("0.01", "0.01"), ("999.00", "999.00"), ("25000.00", "25\u{202F}000.00"), ("-1234567", "-1\u{202F}234\u{202F}567")] {
            assert_eq!(grouped(amount), text);
        }
        for (bytes, text) in [(1, "1 byte"), (2_048, "2 KiB"), (1_572_864, "1.5 MiB"), (20_971_520, "20.0 MiB")] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(moment("2027-01-15T12:03:04.5Z".parse().expect("an instant")), "2027-01-15 12:03 UTC");
    }
}
