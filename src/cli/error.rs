//! What ends a command early, and its exit code.

use books::connection::ConnectionError;
use books::explain::text::inert;
use books::facts::FactError;
use books::mdf::MdfError;
use books::payouts::PayoutError;
use books::programs::ApplyError;
use books::release::ReleaseError;
use books::review::ReviewError;
use books::settlement::SettleError;
use books::users::PersonError;
use durable::outbox::OutboxError;
use durable::runs::RunError;
use durable::schedules::ScheduleError;
use workflows::mdf_claim::StartError;
use workflows::payout::WakeError;

use crate::config::ConfigErrors;
use crate::ops::{self, OpsError};
use crate::restore::RestoreError;
use crate::verify::VerifyError;

/// What ends a command early.
#[derive(Debug)]
pub enum CliError {
    /// The input or usage is wrong: exit code 2.
    Input(String),
    /// A file is wrong: exit code 2. Its lines begin with their places, so that editors can jump there, and are printed as they are.
    Places(String),
    /// It failed: exit code 1.
    Failed(String),
}

impl CliError {
    /// 1: it failed; 2: the input or usage is wrong.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Places(_) => 2,
            Self::Failed(_) => 1,
        }
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Input(text) | Self::Places(text) | Self::Failed(text) => text,
        }
    }

    /// Says on standard error what is wrong.
    pub fn report(self) {
        match self {
            Self::Input(text) | Self::Failed(text) => eprintln!("error: {}", shown(&text)),
            Self::Places(text) => eprintln!("{}", shown(&text)),
        }
    }
}

/// Line by line, without what a terminal would obey.
fn shown(text: &str) -> String {
    text.lines().map(inert).collect::<Vec<_>>().join("\n")
}

impl From<crate::app::StartError> for CliError {
    fn from(error: crate::app::StartError) -> Self {
        let wrong_address = matches!(error, crate::app::StartError::Connection(ConnectionError::UnknownAddress(_) | ConnectionError::NotAFile(_)));
        let text = with_causes(&error);
        if wrong_address { Self::Input(text) } else { Self::Failed(text) }
    }
}

/// An error's text and those of its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Places(errors.to_string())
    }
}

impl From<sea_orm::DbErr> for CliError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Failed(format!("the database failed: {error}"))
    }
}

impl From<books::load::row::LoadError> for CliError {
    fn from(error: books::load::row::LoadError) -> Self {
        let text = error.to_string();
        if matches!(error, books::load::row::LoadError::NoProgram(_)) { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<SettleError> for CliError {
    fn from(error: SettleError) -> Self {
        let text = if let SettleError::Data { program, period, reasons } = &error {
            format!("{program} {period} can't be settled; nothing of {period} was posted:\n{}", reasons.join("\n"))
        } else {
            error.to_string()
        };
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<ReviewError> for CliError {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Settle(error) => error.into(),
            ReviewError::BeforeFirst { .. }
            | ReviewError::FinalPeriod { .. }
            | ReviewError::OutOfOrder { .. }
            | ReviewError::Future { .. }
            | ReviewError::Data { .. } => Self::Input(error.to_string()),
        }
    }
}

impl From<PersonError> for CliError {
    fn from(error: PersonError) -> Self {
        let text = error.to_string();
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<FactError> for CliError {
    fn from(error: FactError) -> Self {
        let text = with_causes(&error);
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<ReleaseError> for CliError {
    fn from(error: ReleaseError) -> Self {
        let text = error.to_string();
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<PayoutError> for CliError {
    fn from(error: PayoutError) -> Self {
        let text = with_causes(&error);
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<MdfError> for CliError {
    fn from(error: MdfError) -> Self {
        let text = with_causes(&error);
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Claim(error) => error.into(),
            StartError::Run(error) => error.into(),
            StartError::Taken(_) => Self::Input(error.to_string()),
        }
    }
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        let text = with_causes(&error);
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let text = with_causes(&error);
        if ops::is_wrong_run(&error) { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<RestoreError> for CliError {
    fn from(error: RestoreError) -> Self {
        let text = with_causes(&error);
        if error.is_input() { Self::Input(text) } else { Self::Failed(text) }
    }
}

impl From<VerifyError> for CliError {
    fn from(error: VerifyError) -> Self {
        Self::Failed(with_causes(&error))
    }
}

impl From<WakeError> for CliError {
    fn from(error: WakeError) -> Self {
        Self::Failed(with_causes(&error))
    }
}

impl From<ScheduleError> for CliError {
    fn from(error: ScheduleError) -> Self {
        OpsError::from(error).into()
    }
}

impl From<OutboxError> for CliError {
    fn from(error: OutboxError) -> Self {
        Self::Failed(with_causes(&error))
    }
}

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Load(error) => error.into(),
            ApplyError::Successor(_) | ApplyError::TooLate { .. } | ApplyError::Posted { .. } => Self::Input(error.to_string()),
        }
    }
}
