//! Plays the year: month by month the facts that became known are imported and the month is settled; quarters end with a review.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant as Stopwatch;

use books::connection::Books;
use books::export::journal::{self, Format, Selection};
use books::record::{self, Input};
use books::settlement::run;
use books::{programs, review, verify};
use program::calendar::{Date, Instant, Period};
use program::money::Currency;
use program::programme::Programme;

use super::directory::Directory;
use super::facts::Facts;
use super::outcome::{Outcome, Paying, ReviewCount};
use super::payment::{self, Hosted};
use super::year::Year;
use super::{DemoError, Options, Progress, accounts, billing, claims, double, figures, network, rates, trade, write};

/// The programme that `config/programs/reseller.toml` shows, a year earlier: the demo's year is over wherever it is run.
const PROGRAM: &str = include_str!("../../config/programs/reseller.toml");
const PROGRAM_YEAR: (&str, &str) = ("2026", "2025");

/// The journal's files and their formats.
const JOURNALS: [(&str, Format); 3] = [("journal.beancount", Format::Beancount), ("journal.hledger", Format::Hledger), ("journal.csv", Format::Csv)];

/// The day of the month after the year on which its last month is paid: accounts that were approved on the first have cooled off.
const PAID_ON: u32 = 5;

/// A demo that was played, and its service where it goes on.
#[derive(Debug)]
pub(crate) struct Played {
    /// What it came to.
    pub(crate) outcome: Outcome,
    /// Its books.
    pub(crate) books: Books,
    /// The service, where it was asked for.
    pub(crate) hosted: Option<Hosted>,
}

impl Played {
    /// Closes the books: the last connection to go leaves one file that can be copied.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn close(books: &Books) -> Result<(), DemoError> {
        books.read().clone().close().await?;
        books.write().clone().close().await?;
        Ok(())
    }
}

/// Makes the directory and all that is in it.
///
/// # Errors
/// [`DemoError`]; what was made so far stays, for a look.
pub(crate) async fn play(options: &Options, mut progress: Progress) -> Result<Played, DemoError> {
    let began = Stopwatch::now();
    let double = double::find();
    if let (true, Err(error)) = (options.serve, double.as_ref()) {
        return Err(DemoError::NoProvider(error.to_string()));
    }
    let directory = Directory::prepare(&options.directory, options.replace)?;
    let source = PROGRAM.replace(PROGRAM_YEAR.0, PROGRAM_YEAR.1);
    let programme = program::file::load("reseller.toml", &source).map_err(|errors| DemoError::Program(errors.to_string()))?;
    write(&directory.program_file(), &source)?;
    let year = Year::new(programme.settlement.first_period, programme.timezone);
    let facts = generate(options, year, &programme);
    progress.took("facts", began);

    let books = crate::app::open(&directory.database_url()).await?;
    let mut stage = Stage { directory: &directory, books: &books, programme: &programme, facts: &facts, year, progress: &mut progress, files: 0 };
    stage.apply(&source).await?;
    let reviews = stage.play().await?;
    let (paying, hosted) = match double {
        Ok(double) => stage.pay(&double, options.serve).await?,
        Err(reason) => (Paying::Not { reason: reason.to_string() }, None),
    };
    let files = stage.files;
    let statements = statements(options, &directory, &books, &programme, year, &mut progress).await?;
    write_journals(&directory, &books, &mut progress).await?;
    let invariants = verify(&books, year.after(PAID_ON, 10), &mut progress).await?;
    let figures = figures::gather(&books, &programme, year).await?;
    if hosted.is_none() {
        Played::close(&books).await?;
    }
    let outcome = Outcome {
        options: options.clone(),
        directory,
        rows: facts.len(),
        files,
        reviews,
        figures,
        paying,
        statements,
        invariants,
        took: progress.took,
    };
    Ok(Played { outcome, books, hosted })
}

fn generate(options: &Options, year: Year, programme: &Programme) -> Facts {
    let mut facts = Facts::new(year.begins(), year.last_day());
    let home = programme.currency;
    let currency = |code: &str| code.parse::<Currency>().unwrap_or(home);
    rates::generate(&mut facts, year, options.seed);
    let partners = network::generate(&mut facts, year, options.seed, options.partners);
    let deals = trade::generate(&mut facts, year, options.seed, &partners, &currency);
    billing::generate(&mut facts, year, options.seed, &partners, &deals);
    facts
}

struct Stage<'a> {
    directory: &'a Directory,
    books: &'a Books,
    programme: &'a Programme,
    facts: &'a Facts,
    year: Year,
    progress: &'a mut Progress,
    files: usize,
}

impl Stage<'_> {
    /// Records the programme.
    async fn apply(&mut self, source: &str) -> Result<(), DemoError> {
        let tx = self.books.begin_write().await?;
        let now = self.year.at(self.year.begins(), 4, 0);
        programs::apply(&tx, self.programme, source, None, now).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn play(&mut self) -> Result<Vec<ReviewCount>, DemoError> {
        let begins = self.year.begins();
        self.import(self.facts.history(), self.year.at(begins, 5, 0)).await?;
        let mut reviews = vec![self.review(begins).await?];
        for period in self.year.months() {
            let next = period.next().first_day();
            self.import(period, self.year.at(next, 5, 0)).await?;
            self.settle(period, self.year.at(next, 6, 0)).await?;
            if period.ends_quarter() {
                reviews.push(self.review(next).await?);
            }
        }
        Ok(reviews)
    }

    async fn import(&mut self, month: Period, now: Instant) -> Result<(), DemoError> {
        let began = Stopwatch::now();
        self.progress.say(format!("{month}: import"));
        let path = self.directory.path();
        let files = self.facts.write(month, path).map_err(|source| DemoError::Write { path: path.join("facts"), source })?;
        for file in files {
            let path = self.directory.join(&file.path);
            let reader = File::open(&path).map_err(|source| DemoError::Write { path, source })?;
            let input = Input { kind: file.kind, format: record::Format::Csv, origin: file.path.display().to_string(), reader, dry_run: false };
            record::record(self.books, input, now, |_| {}).await?;
            self.files += 1;
        }
        self.progress.took("import", began);
        Ok(())
    }

    async fn settle(&mut self, period: Period, now: Instant) -> Result<(), DemoError> {
        let began = Stopwatch::now();
        self.progress.say(format!("{period}: settle"));
        run::settle_period(self.books, &self.programme.id, period, now).await?;
        self.progress.took("settle", began);
        Ok(())
    }

    async fn review(&mut self, as_of: Date) -> Result<ReviewCount, DemoError> {
        let began = Stopwatch::now();
        self.progress.say(format!("{as_of}: recertify"));
        let tx = self.books.begin_write().await?;
        let reviewed = review::review(&tx, &self.programme.id, as_of, self.year.at(as_of, 7, 0)).await?;
        tx.commit().await?;
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        for result in &reviewed {
            *outcomes.entry(result.outcome.clone()).or_default() += 1;
        }
        let changed = reviewed.into_iter().filter(|result| result.tier != result.new_tier);
        let changed = changed.map(|result| (result.partner.to_string(), result.tier.to_string(), result.new_tier.to_string())).collect();
        self.progress.took("recertify", began);
        Ok(ReviewCount { as_of, outcomes, changed })
    }

    /// Accounts are approved, and when they have cooled off the last month is paid and told; the service goes on where it is asked for.
    async fn pay(&mut self, double: &Path, goes_on: bool) -> Result<(Paying, Option<Hosted>), DemoError> {
        let began = Stopwatch::now();
        let (period, program) = (Period::of(self.year.last_day()), &self.programme.id);
        self.progress.say(format!("{period}: pay"));
        accounts::open(self.books, program, period, self.year.after(1, 9), self.year.after(1, 10)).await?;
        let now = self.year.after(PAID_ON, 9);
        payment::begin(self.books, program, period, now).await?;
        let hosted = Hosted::start(double, self.directory, self.books, now).await?;
        let mut paid = payment::finish(&hosted, self.directory, self.books, program, period, self.progress).await?;
        let terms = (program.as_str(), self.programme.currency);
        paid.claims = claims::play(&hosted, self.directory, self.books, terms, self.progress).await?;
        let hosted = if goes_on {
            Some(hosted)
        } else {
            hosted.end().await?;
            None
        };
        self.progress.took("pay and mail", began);
        Ok((Paying::Paid(paid), hosted))
    }
}

#[cfg(feature = "pdf")]
async fn statements(
    options: &Options,
    directory: &Directory,
    books: &Books,
    programme: &Programme,
    year: Year,
    progress: &mut Progress,
) -> Result<Option<usize>, DemoError> {
    let began = Stopwatch::now();
    let last = Period::of(year.last_day());
    let months: Vec<Period> = year.months().filter(|period| options.all_statements || *period == last).collect();
    let count = super::statements::write(directory, books, programme, &months, progress).await?;
    progress.took("statements", began);
    Ok(Some(count))
}

#[cfg(not(feature = "pdf"))]
async fn statements(_: &Options, _: &Directory, _: &Books, _: &Programme, _: Year, _: &mut Progress) -> Result<Option<usize>, DemoError> {
    std::future::ready(Ok(None)).await
}

async fn write_journals(directory: &Directory, books: &Books, progress: &mut Progress) -> Result<(), DemoError> {
    let began = Stopwatch::now();
    progress.say("journal");
    let folder = directory.join("journal");
    std::fs::create_dir_all(&folder).map_err(|source| DemoError::Write { path: folder.clone(), source })?;
    let tx = books.begin_read().await?;
    for (name, format) in JOURNALS {
        let path = folder.join(name);
        let file = File::create(&path).map_err(|source| DemoError::Write { path, source })?;
        journal::export(&tx, &Selection::default(), format, &mut BufWriter::new(file)).await?;
    }
    tx.rollback().await?;
    progress.took("journal", began);
    Ok(())
}

/// How many invariants the books hold.
async fn verify(books: &Books, now: Instant, progress: &mut Progress) -> Result<usize, DemoError> {
    let began = Stopwatch::now();
    progress.say("verify");
    let report = verify::verify(books, now).await?;
    progress.took("verify", began);
    if report.is_ok() { Ok(report.checks().count()) } else { Err(DemoError::Broken(report.text())) }
}
