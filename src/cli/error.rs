//! What ends a command early, and its exit code.

use books::programs::ApplyError;
use books::review::ReviewError;
use books::settlement::SettleError;

/// What ends a command early.
#[derive(Debug)]
pub enum CliError {
    /// The input or usage is wrong: exit code 2.
    Input(String),
    /// A programme file is wrong: exit code 2, shown with its place.
    File(Box<program::file::FileErrors>),
    /// It failed: exit code 1.
    Failed(String),
}

impl CliError {
    /// 1: it failed; 2: the input or usage is wrong.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::File(_) => 2,
            Self::Failed(_) => 1,
        }
    }

    /// Says on standard error what is wrong.
    pub fn report(self) {
        match self {
            Self::Input(text) | Self::Failed(text) => eprintln!("error: {text}"),
            Self::File(errors) => eprintln!("{:?}", miette::Report::new(*errors)),
        }
    }
}

impl From<crate::app::StartError> for CliError {
    fn from(error: crate::app::StartError) -> Self {
        let wrong_address = matches!(error, crate::app::StartError::Connection(books::connection::ConnectionError::UnknownAddress(_)));
        let text = with_causes(&error);
        if wrong_address { Self::Input(text) } else { Self::Failed(text) }
    }
}

/// An error's text and those of its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
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
        if error.is_input() { Self::Input(error.to_string()) } else { Self::Failed(error.to_string()) }
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

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Load(error) => error.into(),
            ApplyError::Successor(_) | ApplyError::TooLate { .. } | ApplyError::Posted { .. } => Self::Input(error.to_string()),
        }
    }
}
