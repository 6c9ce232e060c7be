//! Whom a change of a programme touches: the members that it can pay otherwise, or review otherwise.

use program::calendar::Date;
use program::member::{Directory, Partner};
use program::programme::{Programme, RateEntry, Rule};

/// Members that are named one by one; the rest is counted.
const NAMED_MAX: usize = 8;

/// Two versions of a programme, on the day from which the later one holds.
pub(super) struct Both<'a> {
    pub(super) old: &'a Programme,
    pub(super) new: &'a Programme,
    pub(super) day: Date,
    pub(super) directory: &'a Directory,
}

/// Whom a change touches.
#[derive(Debug, Clone)]
pub(super) struct Touched {
    /// In words.
    pub(super) whom: String,
    /// The active members, by id.
    pub(super) partners: Vec<String>,
}

impl Touched {
    /// How many, who the first are, and why they.
    pub(super) fn text(&self) -> String {
        let count = self.partners.len();
        let members = if count == 1 { "member" } else { "members" };
        let named = self.partners.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if count > NAMED_MAX { format!(" and {} more", count - NAMED_MAX) } else { String::new() };
        let colon = if count == 0 { "" } else { ": " };
        format!("{count} active {members}{colon}{named}{more} ({})", self.whom)
    }
}

impl Both<'_> {
    /// The active members on the day.
    pub(super) fn members(&self) -> impl Iterator<Item = &Partner> {
        self.directory.iter().map(|(_, partner)| partner).filter(|partner| partner.active(self.day))
    }

    /// Whom the change of a field or entry touches.
    pub(super) fn touched(&self, path: &str) -> Touched {
        match path.split_once('.') {
            Some(("tiers", rest)) => self.by_tier(rest),
            Some(("rates", rest)) => self.by_entries(&self.entries(rest)),
            Some(("rules", rest)) => self.by_rules(&self.rules(rest)),
            Some(("hierarchy", _)) => self.by_chain(),
            Some(("recertification", _)) => self.all("all that are reviewed"),
            Some(("rankings", _)) => self.all("all that are ranked"),
            Some(("roles", role)) => self.all(&format!("whoever has a credit as {role}")),
            Some(_) | None => self.all("all"),
        }
    }

    fn those(&self, whom: impl Into<String>, is_one: impl Fn(&Partner) -> bool) -> Touched {
        let mut partners: Vec<String> = self.members().filter(|partner| is_one(partner)).map(|partner| partner.id.0.to_string()).collect();
        partners.sort();
        Touched { whom: whom.into(), partners }
    }

    fn all(&self, whom: &str) -> Touched {
        self.those(whom, |_| true)
    }

    /// Whether a member counts as one of a tier, before the change or after it: a certification asked for anew moves it.
    fn is_in(&self, partner: &Partner, tier: &str) -> bool {
        [self.old, self.new].iter().any(|programme| {
            let rank = partner.effective_tier(self.day, programme);
            rank.and_then(|rank| programme.tiers.get(rank)).is_some_and(|known| known.id == tier)
        })
    }

    fn by_tier(&self, rest: &str) -> Touched {
        let tier = self.old.tiers.iter().chain(&self.new.tiers).map(|tier| tier.id.as_str()).filter(|id| begins(rest, id)).max_by_key(|id| id.len());
        let Some(tier) = tier else { return self.all("all") };
        let field = rest.get(tier.len() + 1..).unwrap_or_default();
        match field.split('.').next().unwrap_or_default() {
            "rate" | "coop_rate" | "name" => self.those(format!("effectively in {tier}"), |partner| self.is_in(partner, tier)),
            "certifications" => self.those(format!("that hold {tier}"), |partner| partner.earned_tier(self.day).is_some_and(|held| **held == *tier)),
            // Thresholds and the like decide at the next review, as does a tier that comes or goes.
            _ => self.all("all that are reviewed"),
        }
    }

    fn entries(&self, rest: &str) -> Vec<&RateEntry> {
        of_longest_id(self.old.rates.iter().chain(&self.new.rates).filter(|entry| begins(rest, &entry.id)).collect(), |entry| &entry.id)
    }

    fn by_entries(&self, entries: &[&RateEntry]) -> Touched {
        let mut words: Vec<String> = Vec::new();
        for entry in entries {
            let tiers = entry.tiers.as_ref().map(|tiers| format!("effectively in {}", tiers.join(" or ")));
            let role = entry.role.as_ref().map(|role| format!("as {role}"));
            let found = [entry.partner.clone(), tiers, role, holds(entry.when.is_some())];
            words.extend(found.into_iter().flatten().filter(|word| !words.contains(word)).collect::<Vec<_>>());
        }
        self.those(or_all(&words), |partner| {
            entries.is_empty()
                || entries.iter().any(|entry| {
                    entry.partner.as_deref().is_none_or(|named| *partner.id.0 == *named)
                        && entry.tiers.as_ref().is_none_or(|tiers| tiers.iter().any(|tier| self.is_in(partner, tier)))
                })
        })
    }

    fn rules(&self, rest: &str) -> Vec<&Rule> {
        of_longest_id(self.old.rules.iter().chain(&self.new.rules).filter(|rule| begins(rest, &rule.id)).collect(), |rule| &rule.id)
    }

    fn by_rules(&self, rules: &[&Rule]) -> Touched {
        let everybody = rules.iter().any(|rule| rule.partners.is_none());
        let mut words: Vec<String> = Vec::new();
        if !everybody {
            words.push("named by the rule".into());
        }
        words.extend(holds(rules.iter().any(|rule| rule.when.is_some())));
        self.those(or_all(&words), |partner| {
            everybody || rules.iter().filter_map(|rule| rule.partners.as_ref()).flatten().any(|named| *partner.id.0 == **named)
        })
    }

    /// Overrides go up from members with an ancestor, and where the child pays, from their commission.
    fn by_chain(&self) -> Touched {
        let chained: Vec<usize> = self
            .directory
            .iter()
            .flat_map(|(no, _)| {
                let above: Vec<usize> = self.directory.ancestors(no, self.day).into_iter().map(|(ancestor, _)| ancestor).collect();
                if above.is_empty() { above } else { above.into_iter().chain([no]).collect() }
            })
            .collect();
        let ids: std::collections::BTreeSet<&str> = chained.iter().map(|&no| &**self.directory.id(no)).collect();
        self.those("above or below another", |partner| ids.contains(&*partner.id.0))
    }
}

/// Whether the path that follows a list's name begins with an id, which may hold dots.
fn begins(rest: &str, id: &str) -> bool {
    rest.strip_prefix(id).is_some_and(|field| field.is_empty() || field.starts_with('.'))
}

/// Of entries whose ids begin a path, those with the longest: `a.b` is no field of `a`.
fn of_longest_id<T>(entries: Vec<&T>, id: impl Fn(&T) -> &String) -> Vec<&T> {
    let longest = entries.iter().map(|entry| id(entry).len()).max().unwrap_or(0);
    entries.into_iter().filter(|entry| id(entry).len() == longest).collect()
}

fn holds(has_condition: bool) -> Option<String> {
    has_condition.then(|| "where its condition holds".to_owned())
}

fn or_all(words: &[String]) -> String {
    if words.is_empty() { "all".into() } else { words.join(", ") }
}
