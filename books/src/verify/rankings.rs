//! Stack ranks: each final quarter has those that its programme asks for, made by its rule, and their winners are those above the cut
//! (invariant 6; domain.md §5.4). The revenue that a place states is taken as it stands.

use std::collections::BTreeMap;

use program::calendar::Period;
use program::exact::Exact;
use program::programme::{Applies, Ranking};

use super::figures::{MILLION, micro_text};
use super::finding::Invariant::LineAsAsked;
use super::known::members::micro;
use super::known::terms::Terms;
use super::scan::Scan;
use crate::load::row::{LoadError, Row, rows};

/// A ranking as it is stored.
struct Stored {
    period: String,
    rate_micro: i64,
    applies: String,
    top_micro: i64,
    ranked: i64,
    version: i64,
}

/// A member's place as it is stored.
struct Place {
    partner: String,
    revenue: Exact,
    place: i64,
    is_winner: bool,
}

/// Quarter and ranking.
type Key = (String, String);

pub(crate) async fn check(scan: &mut Scan<'_>) -> Result<(), LoadError> {
    for program in scan.programs() {
        let checked = of_program(scan, &program).await;
        scan.tolerate(LineAsAsked, checked)?;
    }
    Ok(())
}

async fn of_program(scan: &mut Scan<'_>, program: &str) -> Result<(), LoadError> {
    let terms = Terms::load(scan.tx, program).await?;
    let mut stored = rankings(scan, program).await?;
    let mut placed = places(scan, program).await?;
    for ((quarter, ranking), found) in &stored {
        let keys = [("program", program), ("ranking", ranking), ("quarter", quarter)];
        check_places(scan, &keys, found, &placed.remove(&(quarter.clone(), ranking.clone())).unwrap_or_default());
    }
    for (quarter, ranking) in placed.into_keys() {
        let keys = [("program", program), ("ranking", ranking.as_str()), ("quarter", quarter.as_str())];
        scan.add(LineAsAsked, &keys, "places of a ranking that is not there");
    }
    let query = "SELECT period, cutoff FROM periods WHERE program = ? AND stage <> 'frozen' ORDER BY period";
    for row in rows(scan.tx, query, vec![program.into()]).await? {
        let period = row.period(0)?;
        let Some(quarter) = quarter_ended_by(period) else { continue };
        let version = terms.on(period.last_day(), row.int(1)?);
        for asked in version.says.rankings.iter().filter(|ranking| covers(ranking, period)) {
            let keys = [("program", program), ("ranking", asked.id.as_str()), ("quarter", quarter.as_str())];
            let Some(found) = stored.remove(&(quarter.clone(), asked.id.clone())) else {
                scan.add(LineAsAsked, &keys, "the quarter is over and the ranking is missing");
                continue;
            };
            for difference in differences(&found, asked, version.number, period) {
                scan.add(LineAsAsked, &keys, difference);
            }
        }
    }
    for (quarter, ranking) in stored.into_keys() {
        let keys = [("program", program), ("ranking", ranking.as_str()), ("quarter", quarter.as_str())];
        scan.add(LineAsAsked, &keys, "nothing asks for the ranking");
    }
    Ok(())
}

async fn rankings(scan: &Scan<'_>, program: &str) -> Result<BTreeMap<Key, Stored>, LoadError> {
    let query = "SELECT quarter, ranking, period, rate, applies, top, ranked, version FROM rankings WHERE program = ?";
    let read = |row: &Row| {
        let (period, rate_micro, applies) = (row.string(2)?, micro(row, 3)?, row.string(4)?);
        let stored = Stored { period, rate_micro, applies, top_micro: micro(row, 5)?, ranked: row.int(6)?, version: row.int(7)? };
        Ok(((row.string(0)?, row.string(1)?), stored))
    };
    rows(scan.tx, query, vec![program.into()]).await?.iter().map(read).collect()
}

async fn places(scan: &Scan<'_>, program: &str) -> Result<BTreeMap<Key, Vec<Place>>, LoadError> {
    let query = "SELECT quarter, ranking, partner, revenue, place, winner FROM ranking_places WHERE program = ? ORDER BY partner";
    let mut places: BTreeMap<Key, Vec<Place>> = BTreeMap::new();
    for row in rows(scan.tx, query, vec![program.into()]).await? {
        let text = row.string(3)?;
        let revenue = text.parse().map_err(|_| LoadError::Corrupt { value: text, what: "a ranked revenue" })?;
        let place = Place { partner: row.string(2)?, revenue, place: row.int(4)?, is_winner: row.int(5)? == 1 };
        places.entry((row.string(0)?, row.string(1)?)).or_default().push(place);
    }
    Ok(places)
}

/// As many places as were ranked; winners have at least the revenue of the k-th, k = ⌈top × N⌉; a place counts those above it.
fn check_places(scan: &mut Scan<'_>, keys: &[(&str, &str); 3], ranking: &Stored, places: &[Place]) {
    if i64::try_from(places.len()) != Ok(ranking.ranked) {
        scan.add(LineAsAsked, keys, format!("{} members were ranked and {} places are stored", ranking.ranked, places.len()));
    }
    let mut revenues: Vec<Exact> = places.iter().map(|place| place.revenue).collect();
    revenues.sort_by(|a, b| b.cmp(a));
    let count = i128::try_from(revenues.len()).unwrap_or(i128::MAX);
    let parts = i128::from(ranking.top_micro).saturating_mul(count);
    let k = parts / MILLION + i128::from(parts % MILLION > 0);
    let cut = usize::try_from(k.min(count)).ok().and_then(|k| k.checked_sub(1)).and_then(|last| revenues.get(last));
    for place in places {
        let keys = [keys[0], keys[1], keys[2], ("partner", place.partner.as_str())];
        let wins = cut.is_some_and(|cut| place.revenue >= *cut);
        if wins != place.is_winner {
            let what = if wins { "its revenue is that of a winner and it is none" } else { "it is a winner and its revenue lies below the cut" };
            scan.add(LineAsAsked, &keys, what);
        }
        if place.revenue <= Exact::ZERO {
            scan.add(LineAsAsked, &keys, "it is ranked without revenue");
        }
        let above = revenues.partition_point(|revenue| *revenue > place.revenue);
        if i64::try_from(above) != Ok(place.place - 1) {
            scan.add(LineAsAsked, &keys, format!("{above} have more revenue and its place is {}", place.place));
        }
    }
}

/// The quarter that a month is the last of.
fn quarter_ended_by(period: Period) -> Option<String> {
    let text = period.to_string();
    let (year, month) = text.rsplit_once('-')?;
    let number = ["03", "06", "09", "12"].iter().position(|last| *last == month)? + 1;
    Some(format!("{year}-Q{number}"))
}

/// Whether a rule ranks the quarter that a month ends: none that begins before the rule or ends after it.
fn covers(ranking: &Ranking, last: Period) -> bool {
    let first_day = last.previous().previous().first_day();
    ranking.window.from.is_none_or(|from| from <= first_day) && ranking.window.through.is_none_or(|through| last.last_day() <= through)
}

/// Where a stored ranking differs from what the rule says.
fn differences(found: &Stored, asked: &Ranking, version: i64, period: Period) -> Vec<String> {
    let applies = match asked.applies {
        Applies::NextQuarter => "next_quarter",
        Applies::RankedQuarter => "ranked_quarter",
    };
    let all = [
        ("period", found.period.clone(), period.to_string()),
        ("rate", micro_text(found.rate_micro), micro_text(asked.rate.micro())),
        ("applies", found.applies.clone(), applies.to_owned()),
        ("top", micro_text(found.top_micro), micro_text(asked.top.micro())),
        ("version", found.version.to_string(), version.to_string()),
    ];
    let differ = all.into_iter().filter(|(_, stored, asked)| stored != asked);
    differ.map(|(name, stored, asked)| format!("{name} is {stored}, asked for is {asked}")).collect()
}
