//! The page of approvals: a pointer to a claim, a code by mail, a session, a decision (reliability.md §3.3, §3.4, §3.8).
//!
//! GET and HEAD read only, whoever asks: mail scanners follow links. What is posted before a session changes nothing of a claim, so its
//! forms need no token of their own: the worst that another site could do with them is to have a code mailed to an approver, and that it
//! could do without a browser. The decision carries a token that only a page of the session knows. Where a browser says from which site a
//! form was sent, others are refused in any case.

mod answer;
mod form;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use books::mdf::sign_in::{CODE_LASTS_S, SESSION_LASTS_S, Session};
use serde_json::json;

use self::answer::{Answer, with_headers};
use self::form::{ASKING, Cookies, Form, SESSION, is_from_here, link_of};
use super::Shared;
use super::problem::Problem;
use crate::approvals::decide::NotDecided;
use crate::approvals::pages::Page;
use crate::approvals::{Approvals, DeskError, OfPage, secrets};

/// What every handler begins with: the desk, the claim and the path to it.
struct Visit {
    desk: Arc<Approvals>,
    claim: String,
    cookies: Cookies,
    /// What the link of the mail carried by which somebody came.
    link: Option<String>,
}

impl Visit {
    fn new(service: &Shared, claim: String, headers: &HeaderMap) -> Result<Self, Problem> {
        let desk = service.approvals.as_ref().map(Arc::clone).ok_or(Problem::NotFound)?;
        Ok(Self { desk, claim, cookies: Cookies::of(headers), link: None })
    }

    /// The same, for a form that was sent from our own pages.
    async fn posted(service: &Shared, claim: String, request: Request) -> Result<(Self, Form), Response> {
        let (parts, body) = request.into_parts();
        let visit = Self::new(service, claim, &parts.headers).map_err(axum::response::IntoResponse::into_response)?;
        if !is_from_here(&parts.headers, visit.desk.public_url()) {
            return Err(visit.message(StatusCode::FORBIDDEN, "Not from this page", "This form was sent from another site. Nothing was changed."));
        }
        match Form::read(&parts.headers, body).await {
            Ok(form) => Ok((Self { link: form.link(), ..visit }, form)),
            Err((status, text)) => Err(visit.message(status, "The form can't be read", text)),
        }
    }

    fn answer(&self) -> Answer<'_> {
        Answer { desk: &self.desk, claim: &self.claim }
    }

    fn message(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.answer().page(status, Page::Message, json!({ "title": title, "text": text, "again": true }))
    }

    fn sign_in(&self, status: StatusCode, problem: Option<&str>) -> Response {
        let asked = self.cookies.get(ASKING).is_some();
        self.answer().page(status, Page::SignIn, json!({ "asked": asked, "problem": problem, "link": self.link }))
    }

    fn failed(&self, error: &DeskError) -> Response {
        if !matches!(error, DeskError::Busy) {
            tracing::error!(claim = self.claim, error = crate::cli::with_causes(error), "approval.failed");
        }
        self.message(StatusCode::SERVICE_UNAVAILABLE, "Not now", "This could not be done now. Nothing was changed; try again in a minute.")
    }

    /// Who is signed in, and by which token.
    async fn session(&self) -> Result<Option<(Session, String)>, DeskError> {
        let Some(token) = self.cookies.get(SESSION) else { return Ok(None) };
        Ok(self.desk.session(token).await?.map(|session| (session, token.to_owned())))
    }
}

/// `GET /approvals/{claim}`: the claim for who is signed in, the form to sign in for everybody else. Changes nothing.
pub(super) async fn show(State(service): State<Shared>, Path(claim): Path<String>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let visit = Visit { link: link_of(&uri), ..Visit::new(&service, claim, &headers)? };
    let (session, token) = match visit.session().await {
        Ok(Some(found)) => found,
        // Whether there is such a claim is nobody's business yet.
        Ok(None) => return Ok(visit.sign_in(StatusCode::OK, None)),
        Err(error) => return Ok(visit.failed(&error)),
    };
    Ok(match visit.desk.shown(&visit.claim, &session).await {
        Ok(Some(mut shown)) => {
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("form".into(), secrets::form_token(&token).into());
            }
            visit.answer().page(StatusCode::OK, Page::Claim, shown)
        }
        Ok(None) => visit.no_claim(),
        Err(error) => visit.failed(&error),
    })
}

impl Visit {
    fn no_claim(&self) -> Response {
        let text = "There is no such claim, or it is not yours to see.";
        self.answer().page(StatusCode::NOT_FOUND, Page::Message, json!({ "title": "No such claim", "text": text, "again": false }))
    }
}

/// `POST /approvals/{claim}/code`: mails a code, if the address is that of somebody who may decide now; the answer is the same for all.
pub(super) async fn ask(State(service): State<Shared>, Path(claim): Path<String>, request: Request) -> Response {
    let (visit, form) = match Visit::posted(&service, claim, request).await {
        Ok(posted) => posted,
        Err(refused) => return refused,
    };
    let email = form.get("email").trim().to_owned();
    if email.is_empty() {
        return visit.message(StatusCode::UNPROCESSABLE_ENTITY, "No address", "Enter the e-mail address at which you were asked.");
    }
    match visit.desk.ask(visit.claim.clone(), email, visit.link.as_deref()) {
        Ok(token) => {
            let page = visit.answer().page(StatusCode::OK, Page::SignIn, json!({ "asked": true, "problem": null, "link": visit.link }));
            visit.answer().with_cookie(page, ASKING, &token, CODE_LASTS_S)
        }
        Err(error) => visit.failed(&error),
    }
}

/// `POST /approvals/{claim}/session`: a code for a session.
pub(super) async fn sign_in(State(service): State<Shared>, Path(claim): Path<String>, request: Request) -> Response {
    const WRONG: &str = "This code is wrong, was used, or its time is over. Look at the newest mail, or ask for another code.";
    let (visit, form) = match Visit::posted(&service, claim, request).await {
        Ok(posted) => posted,
        Err(refused) => return refused,
    };
    let code: String = form.get("code").chars().filter(|c| !c.is_whitespace()).collect();
    let Some(asking) = visit.cookies.get(ASKING).map(str::to_owned) else { return visit.sign_in(StatusCode::FORBIDDEN, Some(WRONG)) };
    match visit.desk.sign_in(&visit.claim, &asking, &code).await {
        Ok(Some(token)) => {
            let answer = visit.answer();
            let signed_in = answer.with_cookie(answer.back_to_claim(), SESSION, &token, SESSION_LASTS_S);
            answer.with_cookie(signed_in, ASKING, "", 0)
        }
        Ok(None) => visit.sign_in(StatusCode::FORBIDDEN, Some(WRONG)),
        Err(error) => visit.failed(&error),
    }
}

/// `POST /approvals/{claim}/decision`: decides. Who decided sees the claim again, with what was decided.
pub(super) async fn decide(State(service): State<Shared>, Path(claim): Path<String>, request: Request) -> Response {
    let (visit, form) = match Visit::posted(&service, claim, request).await {
        Ok(posted) => posted,
        Err(refused) => return refused,
    };
    let session = match visit.session().await {
        Ok(Some((session, _))) => session,
        Ok(None) => return visit.sign_in(StatusCode::FORBIDDEN, Some("You are not signed in any more. Nothing was decided.")),
        Err(error) => return visit.failed(&error),
    };
    if !secrets::same(&secrets::token_digest(form.get("form")), &session.csrf_digest) {
        let text = "This form does not belong to your session. Nothing was decided; look at the claim again.";
        return visit.message(StatusCode::FORBIDDEN, "Not from this page", text);
    }
    let is_approval = match form.get("decision") {
        "approve" => true,
        "reject" => false,
        _ => return visit.message(StatusCode::UNPROCESSABLE_ENTITY, "No decision", "Say whether you approve or reject the claim."),
    };
    let written = |name: &str| Some(form.get(name).trim()).filter(|text| !text.is_empty()).map(str::to_owned);
    let (amount, reason) = (written("amount"), written("reason").map(|reason| one_line(&reason)));
    if !is_approval && reason.is_none() {
        let text = "Give the reason of the rejection: it is told to who submitted the claim. Nothing was decided.";
        return visit.message(StatusCode::UNPROCESSABLE_ENTITY, "No reason", text);
    }
    let step = form.get("step").split_once('.').and_then(|(round, place)| Some((round.parse().ok()?, place.parse().ok()?)));
    let Some(step) = step else {
        return visit.message(StatusCode::UNPROCESSABLE_ENTITY, "No step", "The form does not say which step it decides; look at the claim again.");
    };
    let said = OfPage { is_approval, amount: amount.as_deref(), reason: reason.as_deref(), digest: form.get("digest"), step };
    match visit.desk.decide(&visit.claim, &session, said).await {
        Ok(()) => visit.answer().back_to_claim(),
        Err(error) => visit.refused(&error),
    }
}

/// A reason is one line in the books; what was typed on several is joined.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Visit {
    fn refused(&self, error: &NotDecided) -> Response {
        let status = match error.code() {
            None => {
                tracing::error!(claim = self.claim, error = crate::cli::with_causes(error), "approval.not_decided");
                let text = "The decision could not be recorded now. Look at the claim again, and decide once more if it still waits for you.";
                return self.message(StatusCode::SERVICE_UNAVAILABLE, "Not now", text);
            }
            Some("no-such-claim") => return self.no_claim(),
            Some("not-waiting" | "after-deadline") => StatusCode::GONE,
            Some("out-of-order" | "stale" | "other-step") => StatusCode::CONFLICT,
            Some("raised" | "amount" | "reason-or-text") => StatusCode::UNPROCESSABLE_ENTITY,
            Some(_) => StatusCode::FORBIDDEN,
        };
        self.message(status, "This does not count", &format!("{}. Nothing was decided.", capitalised(&error.to_string())))
    }
}

/// An error's text as the beginning of a sentence.
fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// `GET /approvals/{claim}/proofs/{sha256}`: a proof as a file to be kept, never shown in place.
pub(super) async fn proof(
    State(service): State<Shared>,
    Path((claim, sha256)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let visit = Visit::new(&service, claim, &headers)?;
    let session = match visit.session().await {
        Ok(Some((session, _))) => session,
        Ok(None) => return Ok(visit.sign_in(StatusCode::FORBIDDEN, Some("Sign in to see the proofs."))),
        Err(error) => return Ok(visit.failed(&error)),
    };
    Ok(match visit.desk.proof(&visit.claim, &sha256, &session).await {
        Ok(Some((proof, bytes))) => with_headers(answer::file(&proof, bytes), "default-src 'none'; sandbox"),
        Ok(None) => visit.no_claim(),
        Err(error) => visit.failed(&error),
    })
}
