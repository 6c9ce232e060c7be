//! Every key there is.

/// A key, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    /// Such as `payouts.pain001.debtor_name`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
}

/// How a value may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Anywhere.
    Plain,
    /// Anywhere; several, separated by ":" in a variable.
    List,
    /// Anywhere, but never shown; a file may hold it alone.
    Private,
    /// Never in the configuration file.
    Secret,
}

pub(super) const KEYS: &[Known] = &[
    plain("server.listen"),
    plain("server.public_url"),
    plain("server.shutdown_limit"),
    plain("server.request_limit"),
    Known { path: "database.url", kind: Kind::Private },
    plain("payouts.adapter"),
    plain("payouts.url"),
    secret("payouts.secret"),
    plain("payouts.allow_loopback"),
    plain("payouts.timeout"),
    plain("payouts.dedupe_window"),
    plain("payouts.poll_every"),
    plain("payouts.refusal"),
    plain("payouts.max_per_payout"),
    plain("payouts.max_per_partner_per_day"),
    plain("payouts.max_per_day"),
    plain("payouts.destination_cooling_off"),
    plain("payouts.pain001.debtor_name"),
    plain("payouts.pain001.debtor_iban"),
    plain("payouts.pain001.debtor_bic"),
    plain("payouts.pain001.directory"),
    plain("statements.template"),
    plain("statements.claim_template"),
    Known { path: "statements.fonts", kind: Kind::List },
    plain("statements.system_fonts"),
    secret("webhooks.payouts_secret"),
    secret("webhooks.facts_secret"),
    secret("webhooks.decisions_secret"),
    secret("webhooks.stripe_secret"),
    plain("webhooks.stripe_test_mode"),
    plain("webhooks.tolerance"),
    plain("mail.transport"),
    plain("mail.directory"),
    plain("mail.from"),
    plain("mail.host"),
    plain("mail.port"),
    plain("mail.tls"),
    plain("mail.username"),
    secret("mail.password"),
    plain("mail.ca_file"),
    plain("mail.timeout"),
    plain("mail.templates"),
    plain("files.url"),
    plain("workflows.workers"),
    plain("workflows.lease"),
    plain("clock.start"),
];

/// What a path to the value's file is called after.
const FILE_SUFFIX: &str = "_file";

const fn plain(path: &'static str) -> Known {
    Known { path, kind: Kind::Plain }
}

const fn secret(path: &'static str) -> Known {
    Known { path, kind: Kind::Secret }
}

/// A key as somebody has written it: itself, or the file that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Value(Known),
    FileOf(Known),
}

/// The key of a path.
pub(super) fn named(path: &str) -> Option<Named> {
    let find = |path: &str| KEYS.iter().find(|known| known.path == path).copied();
    find(path).map(Named::Value).or_else(|| {
        let known = find(path.strip_suffix(FILE_SUFFIX)?)?;
        matches!(known.kind, Kind::Secret | Kind::Private).then_some(Named::FileOf(known))
    })
}

/// Whether a path is a section.
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|known| known.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// What somebody may have meant.
pub(super) fn nearest(path: &str) -> Option<String> {
    let files = KEYS.iter().filter(|known| matches!(known.kind, Kind::Secret | Kind::Private)).map(|known| format!("{}{FILE_SUFFIX}", known.path));
    let names = KEYS.iter().map(|known| known.path.to_owned()).chain(files);
    let name = path.rsplit('.').next().unwrap_or_default();
    let distance = |known: &String| {
        // The right name in the wrong section is near, too.
        let same_name = known.rsplit('.').next() == Some(name);
        if same_name { 1 } else { strsim::damerau_levenshtein(path, known) }
    };
    names.map(|known| (distance(&known), known)).min().filter(|(distance, _)| *distance <= path.len() / 3 + 1).map(|(_, known)| known)
}

/// The variable of a path.
pub(super) fn variable(path: &str) -> String {
    format!("{}{}", super::VARIABLE_PREFIX, path.to_uppercase().replace('.', "__"))
}
