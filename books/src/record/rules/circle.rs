//! Whether parent links close a circle on any day.

use std::collections::HashMap;

use program::calendar::Date;

/// From a date on, a partner has this parent, or none.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) partner: String,
    pub(crate) from: Date,
    pub(crate) parent: Option<String>,
}

/// Days from the first to before the second.
type Days = (Date, Date);

/// A step of a partner's history: these days, this parent.
#[derive(Debug, Clone, Copy)]
struct Step {
    days: Days,
    parent: usize,
}

/// The partners of a circle, each followed by its parent, and its first day. `links` are in order of partner and date.
pub(crate) fn circle(links: &[Link]) -> Option<(Vec<String>, Date)> {
    let (names, histories) = histories(links);
    let mut sound: Vec<Vec<Days>> = vec![Vec::new(); names.len()];
    for start in 0..names.len() {
        if let Some((members, on)) = climb(start, &histories, &mut sound) {
            return Some((members.into_iter().map(|member| names[member].to_owned()).collect(), on));
        }
    }
    None
}

fn histories(links: &[Link]) -> (Vec<&str>, Vec<Vec<Step>>) {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut names: Vec<&str> = Vec::new();
    let mut number = |name| {
        *numbers.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        })
    };
    let mut steps: Vec<(usize, Step)> = Vec::with_capacity(links.len());
    for (index, link) in links.iter().enumerate() {
        let partner = number(link.partner.as_str());
        let until = links.get(index + 1).filter(|next| next.partner == link.partner).map_or(Date::MAX, |next| next.from);
        if let Some(parent) = &link.parent {
            let parent = number(parent.as_str());
            steps.push((partner, Step { days: (link.from, until), parent }));
        }
    }
    let mut histories = vec![Vec::new(); names.len()];
    for (partner, step) in steps {
        histories[partner].push(step);
    }
    (names, histories)
}

/// A partner on the way up, the days on which it was reached, and which step of its history comes next.
struct Frame {
    partner: usize,
    days: Days,
    next: usize,
}

/// Climbs every chain from a partner. The days of a frame lie within those of the frame below, so a partner met again on the way
/// closes a circle on its first day. What was climbed without a circle is `sound` and not climbed again.
fn climb(start: usize, histories: &[Vec<Step>], sound: &mut [Vec<Days>]) -> Option<(Vec<usize>, Date)> {
    let mut on_way: HashMap<usize, usize> = HashMap::from([(start, 0)]);
    let mut way = vec![Frame { partner: start, days: (Date::MIN, Date::MAX), next: 0 }];
    while let Some(frame) = way.last_mut() {
        let Some(step) = histories[frame.partner].get(frame.next) else {
            sound[frame.partner].push(frame.days);
            on_way.remove(&frame.partner);
            way.pop();
            continue;
        };
        frame.next += 1;
        let days = (step.days.0.max(frame.days.0), step.days.1.min(frame.days.1));
        let empty = days.0 >= days.1;
        if empty || sound[step.parent].iter().any(|known| known.0 <= days.0 && days.1 <= known.1) {
            continue;
        }
        if let Some(&first) = on_way.get(&step.parent) {
            return Some((way[first..].iter().map(|frame| frame.partner).collect(), days.0));
        }
        on_way.insert(step.parent, way.len());
        way.push(Frame { partner: step.parent, days, next: 0 });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use program::calendar::parse_date;
    use proptest::prelude::*;

    fn link(partner: &str, from: &str, parent: &str) -> Link {
        let parent = Some(parent.to_owned()).filter(|parent| !parent.is_empty());
        Link { partner: partner.into(), from: parse_date(from).unwrap(), parent }
    }

    #[test]
    fn a_circle_needs_a_common_day() {
        let apart = [link("a", "2024-01-01", "b"), link("a", "2024-02-01", ""), link("b", "2024-02-01", "a")];
        assert!(circle(&apart).is_none());
        let meeting = [link("a", "2024-01-01", "b"), link("a", "2024-02-02", ""), link("b", "2024-02-01", "c"), link("c", "2023-01-01", "a")];
        let (members, on) = circle(&meeting).unwrap();
        assert_eq!((members.len(), on.to_string().as_str()), (3, "2024-02-01"));
    }

    #[test]
    fn a_long_chain_is_climbed_without_recursion() {
        let mut links: Vec<Link> = (0..50_000).map(|i| link(&format!("p{i:06}"), "2024-01-01", &format!("p{:06}", i + 1))).collect();
        assert!(circle(&links).is_none());
        links.push(link("p050000", "2024-01-01", "p000000"));
        assert!(circle(&links).is_some());
    }

    proptest! {
        #[test]
        fn agrees_with_looking_at_every_day(raw in proptest::collection::vec((0_usize..5, 1_u32..9, 0_usize..6), 0..14)) {
            let mut links: Vec<Link> = raw
                .iter()
                .map(|(partner, day, parent)| {
                    let parent = if *parent == 5 || parent == partner { String::new() } else { format!("p{parent}") };
                    link(&format!("p{partner}"), &format!("2024-01-0{day}"), &parent)
                })
                .collect();
            links.sort_by(|a, b| (&a.partner, a.from).cmp(&(&b.partner, b.from)));
            links.dedup_by(|a, b| a.partner == b.partner && a.from == b.from);
            let parent_on = |partner: &str, day: Date| {
                links.iter().rev().find(|l| l.partner == partner && l.from <= day).and_then(|l| l.parent.clone())
            };
            let mut expected = false;
            for day in 1..10 {
                let day = parse_date(&format!("2024-01-0{day}")).unwrap();
                for start in 0..5 {
                    let mut at = format!("p{start}");
                    for _ in 0..6 {
                        let Some(parent) = parent_on(&at, day) else {
                            at.clear();
                            break;
                        };
                        at = parent;
                    }
                    expected |= !at.is_empty();
                }
            }
            prop_assert_eq!(circle(&links).is_some(), expected);
        }
    }
}
