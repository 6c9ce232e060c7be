//! The desk of approvals: people sign in by a code that is mailed to them, look at a claim and decide it (reliability.md §3.3, §3.4, §3.8).
//!
//! A link to a claim is a pointer without authority, and looking changes nothing: only what is posted writes, and only a decision changes
//! a claim.

pub mod decide;
pub mod pages;
pub mod secrets;
mod shown;

use std::fmt;
use std::sync::Arc;

use books::connection::Books;
use books::load::row::LoadError;
use books::mdf::decide::{Outcome, Via, is_decided, refusal};
use books::mdf::sign_in::{self, Asking, Session};
use books::mdf::{self, Claim, MdfError, Proof, asked};
use books::users::User;
use durable::outbox::OutboxError;
use durable::{Clock, Engine};
use program::calendar::Instant;
use reqwest::Url;
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value as Json;
use tokio::sync::Semaphore;
use workflows::letters::{self, Letter};

use self::decide::{NotDecided, Wanted, decide_in, verdict};
use self::pages::{PageError, Pages};
use self::secrets::NoRandomness;
use crate::adapters::files::{Files, FilesError};

/// What the link of a mail is called where it carries something, in addresses and forms.
pub const LINK: &str = "from";
/// Askings for codes that are looked into at the same time.
const ASKINGS_MAX: usize = 4;
/// How often a decision is tried that met a worker of the service on its way.
const TRIES_MAX: usize = 5;

/// People's way to claims.
pub struct Approvals {
    books: Books,
    engine: Engine,
    clock: Arc<dyn Clock>,
    /// Where proofs are kept.
    files_url: String,
    /// What links begin with.
    public_url: Option<Url>,
    pages: Pages,
    asking: Arc<Semaphore>,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").finish_non_exhaustive()
    }
}

/// Why something can't be done at the desk.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The books can't be reached, or hold what can't be read.
    #[error(transparent)]
    Books(#[from] MdfError),
    /// The letter with a code can't be put.
    #[error(transparent)]
    Letter(#[from] OutboxError),
    /// No token can be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A proof can't be read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Too many ask for codes at once.
    #[error("too many ask for a code at the same time")]
    Busy,
}

impl From<DbErr> for DeskError {
    fn from(error: DbErr) -> Self {
        Self::Books(error.into())
    }
}

impl From<LoadError> for DeskError {
    fn from(error: LoadError) -> Self {
        Self::Books(error.into())
    }
}

/// A decision by the page.
#[derive(Debug, Clone, Copy)]
pub struct OfPage<'a> {
    /// Whether it is an approval.
    pub is_approval: bool,
    /// A lower amount, as it was written.
    pub amount: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
    /// The digest of the claim as the page showed it.
    pub digest: &'a str,
    /// The round and the place of the step that the page showed.
    pub step: (i64, i64),
}

impl Approvals {
    /// Over books and engine, with links that begin with an address.
    ///
    /// # Errors
    /// [`PageError`]: a page's template is wrong.
    pub fn new(books: Books, engine: Engine, clock: Arc<dyn Clock>, files_url: String, public_url: Option<Url>) -> Result<Self, PageError> {
        let asking = Arc::new(Semaphore::new(ASKINGS_MAX));
        Ok(Self { books, engine, clock, files_url, public_url, pages: Pages::load()?, asking })
    }

    /// What links begin with.
    #[must_use]
    pub const fn public_url(&self) -> Option<&Url> {
        self.public_url.as_ref()
    }

    /// The pages.
    #[must_use]
    pub const fn pages(&self) -> &Pages {
        &self.pages
    }

    fn now(&self) -> Instant {
        Instant(self.clock.now().0)
    }

    /// Who is signed in by a session's token. Reads only.
    ///
    /// # Errors
    /// [`DeskError::Books`].
    pub async fn session(&self, token: &str) -> Result<Option<Session>, DeskError> {
        let tx = self.books.begin_read().await?;
        let found = sign_in::session(&tx, &secrets::token_digest(token), self.now()).await;
        tx.rollback().await?;
        Ok(found?)
    }

    /// Begins to mail a code to an address, if it is that of somebody who may decide the claim now, and gives the token of the asking:
    /// the code counts together with it. The answer comes first and is the same whoever asks for whom, and wherever from: `link` is what the
    /// link of a mail carried.
    ///
    /// # Errors
    /// [`DeskError::Random`], [`DeskError::Busy`].
    pub fn ask(self: &Arc<Self>, claim: String, email: String, link: Option<&str>) -> Result<String, DeskError> {
        let permit = Arc::clone(&self.asking).try_acquire_owned().map_err(|_| DeskError::Busy)?;
        let token = secrets::token()?;
        let (desk, id, link) = (Arc::clone(self), secrets::token_digest(&token), link.map(secrets::token_digest));
        tokio::spawn(async move {
            let asking = Asking { claim: &claim, email: &email, id: &id, link: link.as_deref() };
            if let Err(error) = desk.mail_code(asking).await {
                tracing::error!(claim, %error, "approval.code_not_asked");
            }
            drop(permit);
        });
        Ok(token)
    }

    async fn mail_code(&self, asking: Asking<'_>) -> Result<(), DeskError> {
        let Asking { claim, email, id, .. } = asking;
        // Whoever asks for nobody takes no lock.
        let tx = self.books.begin_read().await?;
        let somebody = sign_in::addressed(&tx, claim, email).await;
        tx.rollback().await?;
        if somebody?.is_none() {
            tracing::info!(claim, "approval.code_for_nobody");
            return Ok(());
        }
        let now = self.now();
        let tx = self.books.begin_write().await?;
        let asked = async {
            let person = sign_in::ask(&tx, asking, now).await?;
            if person.is_some() {
                letters::post(&tx, &Letter::ApprovalCode { code: id.to_owned() }, now).await?;
            }
            Ok::<_, DeskError>(person)
        }
        .await;
        match asked {
            Ok(Some(person)) => {
                tx.commit().await?;
                tracing::info!(claim, person = person.id, "approval.code_asked");
                Ok(())
            }
            Ok(None) => {
                tx.rollback().await?;
                tracing::warn!(claim, "approval.codes_exhausted");
                Ok(())
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    /// Opens a session by a code and the token of its asking; its token, or `None` if the code is wrong, used, over or tried too often.
    ///
    /// # Errors
    /// [`DeskError::Books`], [`DeskError::Random`].
    pub async fn sign_in(&self, claim: &str, asking: &str, code: &str) -> Result<Option<String>, DeskError> {
        let (id, token) = (secrets::token_digest(asking), secrets::token()?);
        let (given, now) = (secrets::code_digest(&id, claim, code), self.now());
        let tx = self.books.begin_write().await?;
        let opened = async {
            let person = sign_in::try_code(&tx, &id, claim, |digest| secrets::same(digest, &given), now).await?;
            if let Some(person) = &person {
                let form = secrets::token_digest(&secrets::form_token(&token));
                sign_in::open(&tx, &person.id, &secrets::token_digest(&token), &form, now).await?;
            }
            Ok::<_, LoadError>(person)
        }
        .await;
        match opened {
            Ok(person) => {
                // A wrong try counts, too.
                tx.commit().await?;
                if let Some(person) = &person {
                    tracing::info!(claim, person = person.id, "approval.signed_in");
                } else {
                    tracing::warn!(claim, "approval.code_refused");
                }
                Ok(person.map(|_| token))
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error.into())
            }
        }
    }

    /// What the page shows of a claim to somebody; `None`: there is none, or it is none of the person's business. Reads only.
    ///
    /// # Errors
    /// [`DeskError::Books`].
    pub async fn shown(&self, claim: &str, session: &Session) -> Result<Option<Json>, DeskError> {
        let tx = self.books.begin_read().await?;
        let shown = async {
            let Some(claim) = visible(&tx, claim, session).await? else { return Ok(None) };
            shown::shown(&tx, &claim, session, self.now()).await.map(Some)
        }
        .await;
        tx.rollback().await?;
        Ok(shown?)
    }

    /// A proof of a claim with its bytes; `None`: there is none, or it is none of the person's business. Reads only.
    ///
    /// # Errors
    /// [`DeskError::Books`], [`DeskError::Files`].
    pub async fn proof(&self, claim: &str, sha256: &str, session: &Session) -> Result<Option<(Proof, Vec<u8>)>, DeskError> {
        let tx = self.books.begin_read().await?;
        let proof = async {
            let Some(claim) = visible(&tx, claim, session).await? else { return Ok(None) };
            Ok::<_, MdfError>(mdf::proofs(&tx, &claim.id).await?.into_iter().find(|proof| proof.sha256 == sha256))
        }
        .await;
        tx.rollback().await?;
        let Some(proof) = proof? else { return Ok(None) };
        let bytes = Files::open(&self.files_url)?.find(&proof.sha256).await?;
        Ok(Some((proof, bytes)))
    }

    /// Decides by the page.
    ///
    /// # Idempotency
    /// The person, the step and the digest: the same decision again changes nothing and is answered as the first.
    ///
    /// # Errors
    /// [`NotDecided`].
    pub async fn decide(&self, claim: &str, session: &Session, said: OfPage<'_>) -> Result<(), NotDecided> {
        let by = session.person.id.as_str();
        let OfPage { is_approval, amount, reason, digest, step } = said;
        let wanted = Wanted { claim, by, is_approval, amount, reason, digest, via: Via::Page };
        let mut tried = 1;
        loop {
            match self.decide_once(&wanted, step, &session.person).await {
                Err(error) if error.is_transient() && tried < TRIES_MAX => tried += 1,
                Ok(()) => {
                    self.engine.hint();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn decide_once(&self, wanted: &Wanted<'_>, step: (i64, i64), person: &User) -> Result<(), NotDecided> {
        let tx = self.books.begin_write().await?;
        let decided = self.decided(&tx, wanted, step, person).await;
        match decided {
            Ok(Some(outcome)) => {
                tx.commit().await?;
                tracing::info!(
                    claim = wanted.claim,
                    person = wanted.by,
                    step = outcome.role,
                    status = outcome.claim.status.name(),
                    "approval.decided"
                );
                Ok(())
            }
            Ok(None) => Ok(tx.rollback().await?),
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    /// `None`: the person has decided just this before; who presses twice has decided once.
    async fn decided(&self, tx: &DatabaseTransaction, wanted: &Wanted<'_>, step: (i64, i64), person: &User) -> Result<Option<Outcome>, NotDecided> {
        let (verdict, now) = (verdict(tx, wanted).await?, self.now());
        if is_decided(tx, wanted.say(verdict), step, wanted.by).await.map_err(MdfError::from)? {
            return Ok(None);
        }
        // Whoever has the roles of two steps has been asked in one of them only; another round is another digest.
        if let Some(waiting) =
            asked::waiting(tx, wanted.claim).await?.filter(|waiting| waiting.claim.round == step.0 && waiting.step.ordinal != step.1)
        {
            return Err(match refusal(tx, &waiting, person, now).await? {
                Some(refusal) => NotDecided::Books(MdfError::Refused { claim: waiting.claim.id, refusal }),
                None => NotDecided::OtherStep,
            });
        }
        decide_in(tx, wanted, verdict, now).await.map(Some)
    }
}

/// A claim that a person may look at.
async fn visible(tx: &DatabaseTransaction, claim: &str, session: &Session) -> Result<Option<Claim>, MdfError> {
    let Some(claim) = mdf::find(tx, claim).await? else { return Ok(None) };
    Ok(asked::concerns(tx, &claim, &session.person).await?.then_some(claim))
}
