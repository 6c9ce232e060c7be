//! Letters about claims: to approvers, to who submitted them, to partners.

use books::mdf::{Claim, MdfError, campaigns};
use books::{contacts, mdf, users};
use program::calendar::Instant;
use program::mdf::Status;
use reqwest::Url;
use sea_orm::DatabaseTransaction;
use workflows::ports::Attachment;

use super::{Postman, Told, Unwritten, address};
use crate::adapters::mail::letter::{self, Letter as Worded};
use crate::approvals::LINK;

fn told(error: MdfError) -> Unwritten {
    if let MdfError::Load(error) = error { Unwritten::Books(error) } else { Unwritten::Nothing(error.to_string()) }
}

/// A claim with the names of its campaign and partner.
async fn found(tx: &DatabaseTransaction, claim: &str) -> Result<(Claim, String, String), Unwritten> {
    let claim = mdf::find(tx, claim).await?.ok_or_else(|| Unwritten::Nothing(format!("there is no claim {claim}")))?;
    let campaign = campaigns::find(tx, &claim.campaign).await.map_err(told)?.name;
    let partner = contacts::of_partner(tx, &claim.partner).await?.map_or_else(|| claim.partner.clone(), |contact| contact.name);
    Ok((claim, campaign, partner))
}

/// A person's name and address; who was disabled since gets no letters.
pub(super) async fn person(tx: &DatabaseTransaction, id: &str) -> Result<(String, String), Unwritten> {
    let user = users::find(tx, id).await?.ok_or_else(|| Unwritten::Nothing(format!("user {id} is not recorded")))?;
    if let Some((_, reason)) = user.disabled {
        return Err(Unwritten::Disabled { id: user.id, reason });
    }
    Ok((user.name, user.email))
}

/// Asks an approver, or reminds one: `(step, escalated, reminder)`, and who with what the link carries.
pub(super) async fn approval(
    postman: &Postman,
    tx: &DatabaseTransaction,
    claim: &str,
    (step, escalated, reminder): (i64, bool, i64),
    (by, token): (&str, Option<&str>),
) -> Result<Told, Unwritten> {
    let (claim, campaign, partner) = found(tx, claim).await?;
    let (name, to) = person(tx, by).await?;
    let steps = mdf::steps(tx, &claim.id, claim.round).await?;
    let step = steps.into_iter().find(|one| one.ordinal == step);
    let step = step.ok_or_else(|| Unwritten::Nothing(format!("claim {} has no such step any more", claim.id)))?;
    let proofs = match mdf::proofs(tx, &claim.id).await?.len() {
        0 => "none".to_owned(),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let money = |minor| claim.currency.format_minor(minor);
    let worded = Worded::ApprovalAsked(letter::ApprovalAsked {
        name,
        role: step.role_asked().to_owned(),
        partner,
        campaign,
        receipts: money(claim.receipts_minor),
        asked: money(claim.asked_minor),
        amount: money(claim.amount_minor),
        currency: claim.currency.code().into(),
        proofs,
        due_at: step.due_at.map(to_the_minute).unwrap_or_default(),
        link: postman.public_url.as_ref().and_then(|url| link(url, &claim.id, token)).unwrap_or_default(),
        approve: format!("tributary mdf claim approve --by={} -- {}", word(by), word(&claim.id)),
        reject: format!("tributary mdf claim reject --by={} --reason 'WHY' -- {}", word(by), word(&claim.id)),
        claim: claim.id,
        escalated,
        reminder,
    });
    Ok(Told { to, worded, attachments: Vec::new() })
}

/// Tells somebody who runs the service that nobody can decide a step.
pub(super) async fn nobody_to_ask(tx: &DatabaseTransaction, claim: &str, step: i64, by: &str) -> Result<Told, Unwritten> {
    let (claim, campaign, partner) = found(tx, claim).await?;
    let (_, to) = person(tx, by).await?;
    let steps = mdf::steps(tx, &claim.id, claim.round).await?;
    let step = steps.into_iter().find(|one| one.ordinal == step);
    let step = step.ok_or_else(|| Unwritten::Nothing(format!("claim {} has no such step any more", claim.id)))?;
    let (role, amount) = (step.role_asked(), claim.currency.format_minor(claim.amount_minor));
    let mut lines = vec![
        format!("Claim {} of {partner} for {campaign}, {amount} {}, waits for a decision of the role {role}.", claim.id, claim.currency),
        "Nobody may take it: it needs an enabled user with this role who does not belong to the partner, has not submitted the claim or added to \
         it, and has decided no other step of it."
            .to_owned(),
        format!(
            "Add one: tributary user add --id ID --email ADDRESS --role {}. Whoever may decide it by then is asked, within an hour at first and a day at last.",
            word(role)
        ),
    ];
    if let Some(due_at) = step.due_at {
        lines.push(format!("The time for the decision ends at {}.", to_the_minute(due_at)));
    }
    let worded = Worded::Notice(letter::Notice { subject: format!("nobody can decide claim {}", claim.id), lines });
    Ok(Told { to, worded, attachments: Vec::new() })
}

/// A deadline for people: never later than it is.
fn to_the_minute(at: Instant) -> String {
    at.utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A pointer to a claim, without any authority; by what it carries, codes that are asked for from the mail are told from others.
fn link(public_url: &Url, claim: &str, token: Option<&str>) -> Option<String> {
    let mut url = public_url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().push("approvals").push(claim);
    if let Some(token) = token {
        url.query_pairs_mut().append_pair(LINK, token);
    }
    Some(url.into())
}

/// A word of a command that somebody copies into a shell: an id can say anything, and does nothing there.
fn word(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'@'));
    if is_plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Tells who submitted a claim what a round of it has come to: what was rejected may be submitted again before this is written.
pub(super) async fn decided(tx: &DatabaseTransaction, claim: &str, round: i64, status: &str) -> Result<Told, Unwritten> {
    let (claim, campaign, partner) = found(tx, claim).await?;
    let (name, to) = person(tx, &claim.submitted_by).await?;
    let steps = mdf::steps(tx, &claim.id, round).await?;
    let last = steps.into_iter().filter_map(|step| step.decision).next_back();
    let rejected = last.clone().filter(|decision| !decision.is_approval && status == Status::Rejected.name());
    let asked_minor = mdf::asked_in_round(tx, &claim.id, round).await?.unwrap_or(claim.asked_minor);
    let amount_minor = if round == claim.round { claim.amount_minor } else { last.map_or(asked_minor, |decision| decision.amount_minor) };
    let worded = Worded::ClaimDecided(letter::ClaimDecided {
        name,
        partner,
        campaign,
        asked: claim.currency.format_minor(asked_minor),
        amount: claim.currency.format_minor(amount_minor),
        currency: claim.currency.code().into(),
        status: status.to_owned(),
        reason: rejected.and_then(|decision| decision.reason).or(claim.reason).unwrap_or_default(),
        claim: claim.id,
    });
    Ok(Told { to, worded, attachments: Vec::new() })
}

/// Tells who submitted a claim, or the partner, that its payout failed.
pub(super) async fn failed(tx: &DatabaseTransaction, claim: &str, by: Option<&str>) -> Result<Told, Unwritten> {
    let (claim, campaign, partner) = found(tx, claim).await?;
    let (name, to) = match by {
        Some(by) => person(tx, by).await?,
        None => address(tx, &claim.partner).await?,
    };
    let worded = Worded::ClaimFailed(letter::ClaimFailed {
        name,
        partner,
        campaign,
        amount: claim.currency.format_minor(claim.amount_minor),
        currency: claim.currency.code().into(),
        reason: claim.reason.unwrap_or_default(),
        claim: claim.id,
    });
    Ok(Told { to, worded, attachments: Vec::new() })
}

/// Sends the partner the statement of a paid claim.
pub(super) async fn statement(postman: &Postman, tx: &DatabaseTransaction, claim: &str) -> Result<Told, Unwritten> {
    let statement = mdf::statement::of(tx, claim).await.map_err(told)?;
    let statement = statement.ok_or_else(|| Unwritten::Nothing(format!("claim {claim} is not paid")))?;
    let (partner, to) = address(tx, &statement.partner.id).await?;
    let worded = Worded::ClaimStatement(letter::ClaimStatement {
        partner,
        program: statement.program.name.clone(),
        claim: statement.claim.clone(),
        campaign: statement.campaign.name.clone(),
        receipts: statement.receipts.clone(),
        amount: statement.amount.clone(),
        wallet_balance: statement.wallet_balance.clone(),
        currency: statement.currency.clone(),
    });
    Ok(Told { to, worded, attachments: attachment(postman, statement).await? })
}

#[cfg(feature = "pdf")]
async fn attachment(postman: &Postman, statement: program::mdf::statement::ClaimStatement) -> Result<Vec<Attachment>, Unwritten> {
    let name = format!("claim-{}.pdf", file_stem(&statement.claim));
    let typesetter = std::sync::Arc::clone(&postman.of_claims);
    let set = tokio::task::spawn_blocking(move || typesetter.claim(&statement)).await;
    let typeset = set.map_err(|error| Unwritten::Nothing(format!("setting the statement failed: {error}")))?;
    let typeset = typeset.map_err(crate::statement_pdf::StatementError::from)?;
    Ok(vec![Attachment { name, media_type: "application/pdf".into(), bytes: typeset.pdf }])
}

#[cfg(not(feature = "pdf"))]
#[allow(clippy::unused_async, reason = "with the feature it waits")]
async fn attachment(_postman: &Postman, _statement: program::mdf::statement::ClaimStatement) -> Result<Vec<Attachment>, Unwritten> {
    Ok(Vec::new())
}

/// A claim's id as the name of a file: what is none becomes a dash.
#[cfg(feature = "pdf")]
fn file_stem(claim: &str) -> String {
    claim.chars().take(60).map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_commands_are_single_words() {
        for (id, expected) in [("CL-1", "CL-1"), ("a b", "'a b'"), ("x; rm -rf ~", "'x; rm -rf ~'"), ("it's $(id)", "'it'\\''s $(id)'"), ("", "''")] {
            assert_eq!(word(id), expected);
        }
    }

    #[test]
    fn a_link_points_to_a_claim_whatever_its_id() {
        let url: Url = "https://partners.example.com/tributary/".parse().expect("a URL");
        assert_eq!(link(&url, "CL-1", None).as_deref(), Some("https://partners.example.com/tributary/approvals/CL-1"));
        assert_eq!(link(&url, "../a b?c#d", None).as_deref(), Some("https://partners.example.com/tributary/approvals/..%2Fa%20b%3Fc%23d"));
        assert_eq!(link(&url, "CL-1", Some("0a1b")).as_deref(), Some("https://partners.example.com/tributary/approvals/CL-1?from=0a1b"));
    }
}
