//! A service with claims: they are submitted before it starts, and people say their words while it is up, or down.

use std::collections::{BTreeSet, VecDeque};
use std::process::Command;

use books::connection::Books;
use books::mdf::campaigns::{self, Word};
use books::mdf::decide::{Say, Via, decide};
use books::mdf::submit::{self, Anew, New};
use books::mdf::{asked, end};
use books::users::{self, User};
use program::calendar::{Instant, parse_date};
use program::mdf::Verdict;
use sea_orm::DatabaseTransaction;
use workflows::mdf_claim;

use crate::app::{App, Engine};
use crate::claim_facts::{BUDGET, Claimed, Deed, FACTS, Fate, PROGRAMME, dollars, invoice_rows};
use crate::facts::message_id;
use crate::outcome::text;
use crate::process;
use crate::serving::Serving;
use crate::world::{self, RUNTIME, World};

/// When the claims were submitted.
const SUBMITTED: &str = "2026-05-04T08:00:00Z";

/// The days of a claim that nobody decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Day {
    /// People act.
    First,
    /// Who has not acted is reminded.
    Reminded,
    /// The chief is asked instead, and acts.
    Escalated,
    /// It is over.
    Expired,
}

impl Day {
    pub(crate) const ALL: [Self; 4] = [Self::First, Self::Reminded, Self::Escalated, Self::Expired];

    /// Each start of a day is some time after the one before: what waits for a time gets it.
    fn clock(self, starts: u32) -> String {
        assert!(starts < 120, "it has started {starts} times");
        let (date, hour) = match self {
            Self::First => ("2026-05-04", 9),
            Self::Reminded => ("2026-05-05", 9),
            Self::Escalated => ("2026-05-06", 9),
            Self::Expired => ("2026-05-08", 20),
        };
        let minutes = 2 * starts;
        format!("{date}T{:02}:{:02}:00Z", hour + minutes / 60, minutes % 60)
    }
}

/// Wallets, people, campaigns and claims whose runs wait for a service.
pub(crate) fn submitted(engine: Engine, claims: &[Claimed]) -> App {
    let app = App::fresh(engine);
    app.apply(PROGRAMME);
    app.import("partners", &FACTS.partner_rows());
    app.import("customers", "id,name\nc1,Customer");
    app.import("invoices", &invoice_rows());
    let settled = process::run(app.command("settle --program p --through 2026-03").env("TRIBUTARY_CLOCK__START", "2026-04-02T07:00:00Z"));
    assert!(settled.status.success(), "{}", settled.stderr);
    world::destine(&app, FACTS);
    let now: Instant = SUBMITTED.parse().expect("an instant");
    in_books(&app.url(), now, async |books| {
        let tx = books.begin_write().await.expect("a transaction begins");
        people(&tx, now).await;
        for (_, partner) in FACTS.names() {
            campaign(&tx, &partner, now).await;
        }
        for claim in claims {
            let (id, campaign) = (claim.id(), claim.campaign());
            let new = New { id: &id, campaign: &campaign, receipts_minor: claim.asked() * 2, wanted_minor: None, proofs: &[] };
            let submitted = submit::submit(&tx, new, &claim.submitter(), now).await.expect("a claim is submitted");
            mdf_claim::start(&tx, &submitted.claim, now).await.expect("its run starts");
        }
        tx.commit().await.expect("a transaction is committed");
    });
    app
}

/// Work in the books by the library, which ends as a command does.
fn in_books(url: &str, now: Instant, work: impl AsyncFnOnce(&Books)) {
    RUNTIME.block_on(async {
        let books = Books::open(url).await.expect("the database opens");
        work(&books).await;
        books::audit::seal::seal_all(&books, now).await.expect("the audit log is sealed");
        books.write().clone().close().await.expect("the database closes");
        books.read().clone().close().await.expect("the database closes");
    });
}

async fn people(tx: &DatabaseTransaction, now: Instant) {
    let approvers = [("jo", "channel_manager"), ("chief", "channel_chief")].map(|(id, role)| (id.to_owned(), role, None));
    let submitters = FACTS.names().map(|(_, partner)| (format!("sue-{partner}"), "partner", Some(partner)));
    for (id, role, partner) in approvers.into_iter().chain(submitters) {
        let (name, email) = (id.clone(), format!("{id}@example.com"));
        let user = User { id, email, name, partner, roles: vec![role.into()], disabled: None };
        users::add(tx, &user, now).await.expect("a person is added");
    }
}

async fn campaign(tx: &DatabaseTransaction, partner: &str, now: Instant) {
    let (id, budget) = (format!("fair-{partner}"), dollars(BUDGET));
    let new = campaigns::New {
        id: &id,
        program: None,
        partner,
        name: "Fair",
        currency: None,
        budget: &budget,
        from_on: parse_date("2026-05-01").expect("a day"),
        through_on: parse_date("2026-06-30").expect("a day"),
        cost_share: None,
    };
    campaigns::add(tx, new, &format!("sue-{partner}"), now).await.expect("a campaign is asked for");
    campaigns::decide(tx, &id, Word::Approve, "fin", None, now).await.expect("a campaign is approved");
}

/// What is left for people to do about a claim.
#[derive(Debug)]
struct Left {
    claim: Claimed,
    deeds: VecDeque<Deed>,
    is_anew: bool,
}

/// A world in which claims are decided.
pub(crate) struct Play {
    pub(crate) world: World,
    pub(crate) claims: Vec<Claimed>,
    left: Vec<Left>,
    pub(crate) day: Day,
    pub(crate) starts: u32,
    /// When the last service was started.
    started: std::time::Instant,
}

impl Play {
    pub(crate) fn begin(app: App, claims: &[Claimed], modes: &[&str]) -> Self {
        let mut world = World::around(app, FACTS, modes);
        world.set("TRIBUTARY_PAYOUTS__TIMEOUT", "1s");
        let left = |claim: &Claimed| Left { claim: *claim, deeds: claim.deeds().into(), is_anew: false };
        Self {
            world,
            claims: claims.to_vec(),
            left: claims.iter().map(left).collect(),
            day: Day::First,
            starts: 0,
            started: std::time::Instant::now(),
        }
    }

    /// What time it is for people: never before what the last service did.
    fn now(&self) -> Instant {
        let start: Instant = self.day.clock(self.starts).parse().expect("an instant");
        Instant(start.0 + i64::try_from(self.started.elapsed().as_micros()).expect("a short time"))
    }

    pub(crate) fn serve(&mut self) -> Serving {
        self.starts += 1;
        self.started = std::time::Instant::now();
        self.world.serve(&self.day.clock(self.starts))
    }

    /// Starts the service at the next moment of the day, and does not wait until it listens.
    pub(crate) fn begin_serving(&mut self) -> Serving {
        self.starts += 1;
        self.started = std::time::Instant::now();
        self.world.begin_serving(&self.day.clock(self.starts))
    }

    /// The next deeds, of so many claims at most that `pick` chooses: in its day, and asked for by mail where that is waited for.
    pub(crate) fn next_deeds(&mut self, most: usize, pick: impl FnMut(usize) -> usize) -> Vec<(Claimed, Deed)> {
        self.next_deeds_of(|_| true, most, pick)
    }

    /// The same, of claims with some fates.
    pub(crate) fn next_deeds_of(&mut self, of: impl Fn(Fate) -> bool, most: usize, mut pick: impl FnMut(usize) -> usize) -> Vec<(Claimed, Deed)> {
        let came: BTreeSet<String> = self.world.mail.journal().iter().map(|mail| text(mail, "message_id")).collect();
        let day = self.day;
        let may_act = |left: &Left| {
            let Some(deed) = left.deeds.front() else { return false };
            let is_asked = || left.claim.asks(*deed, left.is_anew).is_none_or(|cause| came.contains(&message_id(&cause)));
            of(left.claim.fate) && (left.claim.fate != Fate::Escalated || day == Day::Escalated) && (!left.claim.goes_by_mail() || is_asked())
        };
        let mut ready: Vec<usize> = (0..self.left.len()).filter(|at| may_act(&self.left[*at])).collect();
        let mut deeds = Vec::new();
        while deeds.len() < most && !ready.is_empty() {
            let left = &mut self.left[ready.swap_remove(pick(ready.len()))];
            let deed = left.deeds.pop_front().expect("it is ready");
            left.is_anew |= matches!(deed, Deed::SubmitAgain { .. });
            deeds.push((left.claim, deed));
        }
        deeds
    }

    fn nobody_has_to_act(&self) -> bool {
        self.left.iter().all(|left| left.deeds.is_empty() || (left.claim.fate == Fate::Escalated && self.day < Day::Escalated))
    }

    /// The command of a deed, at this time.
    pub(crate) fn command(&self, claim: Claimed, deed: Deed) -> Command {
        let (id, submitter) = (claim.id(), claim.submitter());
        let mut command = self.world.app.command(&match deed {
            Deed::Approve { by, lower_to: None } => format!("mdf claim approve {id} --by {by}"),
            Deed::Approve { by, lower_to: Some(cents) } => format!("mdf claim approve {id} --by {by} --amount {}", dollars(cents)),
            Deed::Reject { by } => format!("mdf claim reject {id} --by {by} --reason receipts-are-missing"),
            Deed::SubmitAgain { receipts } => format!("mdf claim resubmit {id} --receipts {} --by {submitter}", dollars(receipts)),
            Deed::TakeBack => format!("mdf claim cancel {id} --by {submitter} --reason not-needed"),
            Deed::EndRun => format!("workflow cancel mdf_claim/{id} --by op --reason a-mistake"),
        });
        command.env("TRIBUTARY_CLOCK__START", self.now().to_string());
        command
    }

    /// Does deeds by command, and waits for them.
    pub(crate) fn act(&self, deeds: Vec<(Claimed, Deed)>) {
        run_all(deeds.into_iter().map(|(claim, deed)| self.command(claim, deed)).collect());
    }

    /// Does deeds by the library, with no service there.
    pub(crate) fn act_alone(&self, deeds: Vec<(Claimed, Deed)>) {
        let (by_operators, deeds): (Vec<_>, Vec<_>) = deeds.into_iter().partition(|(_, deed)| *deed == Deed::EndRun);
        let now = self.now();
        in_books(&self.world.app.url(), now, async |books| {
            for (claim, deed) in deeds {
                let tx = books.begin_write().await.expect("a transaction begins");
                by_library(&tx, claim, deed, now).await;
                tx.commit().await.expect("a transaction is committed");
            }
        });
        self.act(by_operators);
    }

    /// Whether the day's work is done: whoever acts has acted, every run has ended or waits for somebody, every letter has left.
    pub(crate) fn day_is_over(&self) -> bool {
        let of = |fates: &[Fate]| i64::try_from(self.claims.iter().filter(|claim| fates.contains(&claim.fate)).count()).expect("a count");
        let (silent, chief) = (of(&[Fate::Expired]), of(&[Fate::Escalated]));
        let (open, reminded, escalated) = match self.day {
            Day::First => (silent + chief, 0, 0),
            Day::Reminded => (silent + chief, silent + chief, 0),
            Day::Escalated => (silent, silent + chief, silent + chief),
            Day::Expired => (0, silent + chief, silent + chief),
        };
        let count = |rows: &str| self.world.count(rows);
        self.nobody_has_to_act()
            && count("workflow_runs WHERE workflow = 'mdf_claim' AND finished_at IS NULL") == of(&[Fate::Waiting]) + open
            && count("workflow_runs WHERE finished_at IS NULL AND status <> 'waiting'") == 0
            && count("claim_steps WHERE reminders = 1") == reminded
            && count("claim_steps WHERE escalated_at IS NOT NULL") == escalated
            && count("outbox WHERE status IN ('pending', 'sending')") == 0
            && count("audit_pending") == 0
    }
}

/// Runs commands one after the other; each must succeed.
pub(crate) fn run_all(commands: Vec<Command>) {
    for mut command in commands {
        let finished = process::run(&mut command);
        assert_eq!(finished.status.code(), Some(0), "{command:?}\n{}{}", finished.stdout_text(), finished.stderr);
    }
}

async fn by_library(tx: &DatabaseTransaction, claim: Claimed, deed: Deed, now: Instant) {
    let (id, submitter) = (claim.id(), claim.submitter());
    match deed {
        Deed::Approve { by, lower_to } => said(tx, &id, Verdict::Approve { amount_minor: lower_to }, by, now).await,
        Deed::Reject { by } => said(tx, &id, Verdict::Reject, by, now).await,
        Deed::SubmitAgain { receipts } => {
            let anew = Anew { receipts_minor: Some(receipts), wanted_minor: None };
            let claim = submit::resubmit(tx, &id, anew, &submitter, now).await.expect("it is submitted again");
            mdf_claim::start(tx, &claim, now).await.expect("its run starts");
        }
        Deed::TakeBack => {
            let waiting = asked::waiting(tx, &id).await.expect("a look").expect("it waits");
            let claim = end::cancel(tx, &id, &submitter, "not needed", now).await.expect("it is taken back");
            mdf_claim::changed(tx, &claim, Some(&waiting.step.role), now).await.expect("its run is told");
        }
        Deed::EndRun => unreachable!("an operator's command"),
    }
}

async fn said(tx: &DatabaseTransaction, id: &str, verdict: Verdict, by: &str, now: Instant) {
    let say = Say { claim: id, verdict, digest: None, reason: Some("receipts-are-missing"), via: Via::Command };
    let outcome = decide(tx, say, by, now).await.expect("a decision counts");
    mdf_claim::decided(tx, &outcome, now).await.expect("its run is told");
}
