//! Who gets an item: credits at four places, the nearest that has any wins whole (domain.md §3.2).

use crate::calendar::Date;
use crate::line::Text;
use crate::member::PartnerNo;
use crate::money::Rate;
use crate::programme::{SOURCED, Window};

/// A credit as recorded at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCredit {
    /// Its id.
    pub id: Text,
    /// The credited partner.
    pub partner: PartnerNo,
    /// Its role.
    pub role: Text,
    /// Its share.
    pub share: Rate,
    /// Its programme: the one that it names, else the partner's home programme.
    pub program: Text,
    /// When it is in force.
    pub window: Window,
}

/// A place where credits are looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The credits recorded for it.
    pub credits: &'a [RecordedCredit],
    /// Its plain column: the partner and its home programme.
    pub column: Option<(PartnerNo, &'a Text)>,
}

/// A credit that an item has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The id of the recorded credit; `None`: a plain column.
    pub id: Option<Text>,
    /// Its programme.
    pub program: Text,
    /// The credited partner.
    pub partner: PartnerNo,
    /// Its role.
    pub role: Text,
    /// Its share.
    pub share: Rate,
}

/// The credits that an item has on a day, in all programmes; `places` nearest first.
#[must_use]
pub fn resolve(places: &[Place<'_>], day: Date, sourced: &Text) -> Vec<Credit> {
    for place in places {
        let in_force = place.credits.iter().filter(|credit| credit.window.contains(day));
        let mut found: Vec<Credit> = in_force
            .map(|credit| Credit {
                id: Some(credit.id.clone()),
                program: credit.program.clone(),
                partner: credit.partner,
                role: credit.role.clone(),
                share: credit.share,
            })
            .collect();
        if !found.is_empty() {
            found.sort_by(|a, b| (a.partner, &a.role, &a.program).cmp(&(b.partner, &b.role, &b.program)));
            return found;
        }
        if let Some((partner, home)) = place.column {
            debug_assert_eq!(&**sourced, SOURCED);
            return vec![Credit { id: None, program: home.clone(), partner, role: sourced.clone(), share: Rate::ONE }];
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;

    fn recorded(partner: PartnerNo, from: Option<&str>) -> RecordedCredit {
        let window = Window { from: from.map(|day| parse_date(day).unwrap()), through: None };
        RecordedCredit { id: format!("K{partner}").into(), partner, role: SOURCED.into(), share: Rate::ONE, program: "reseller".into(), window }
    }

    #[test]
    fn the_nearest_place_with_any_wins_whole() {
        let day = parse_date("2024-03-01").unwrap();
        let sourced: Text = SOURCED.into();
        let here = [recorded(1, None)];
        let later = [recorded(3, Some("2024-03-02"))];
        let home: Text = "reseller".into();
        let column = Place { credits: &[], column: Some((9, &home)) };
        let who = |places: &[Place<'_>]| resolve(places, day, &sourced).iter().map(|credit| credit.partner).collect::<Vec<_>>();
        assert_eq!(who(&[Place { credits: &here, column: Some((9, &home)) }]), [1]);
        assert_eq!(who(&[Place::default(), column]), [9]);
        assert_eq!(who(&[Place { credits: &later, column: None }, column]), [9]);
        assert_eq!(who(&[Place { credits: &later, column: Some((8, &home)) }, column]), [8]);
    }
}
