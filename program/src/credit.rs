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
    /// Whether it belongs to the programme at hand.
    pub here: bool,
    /// When it is in force.
    pub window: Window,
}

/// A place where credits are looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The credits recorded for it.
    pub credits: &'a [RecordedCredit],
    /// Its plain column: the partner, and whether its home programme is the one at hand.
    pub column: Option<(PartnerNo, bool)>,
}

/// A credit that an item has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The id of the recorded credit; `None`: a plain column.
    pub id: Option<Text>,
    /// The credited partner.
    pub partner: PartnerNo,
    /// Its role.
    pub role: Text,
    /// Its share.
    pub share: Rate,
}

/// The credits of this programme that an item has on a day; `places` nearest first.
#[must_use]
pub fn resolve(places: &[Place<'_>], day: Date, sourced: &Text) -> Vec<Credit> {
    for place in places {
        let mut any = false;
        let mut found: Vec<Credit> = Vec::new();
        for credit in place.credits.iter().filter(|credit| credit.window.contains(day)) {
            any = true;
            if credit.here {
                found.push(Credit { id: Some(credit.id.clone()), partner: credit.partner, role: credit.role.clone(), share: credit.share });
            }
        }
        if any {
            found.sort_by(|a, b| (a.partner, &a.role).cmp(&(b.partner, &b.role)));
            return found;
        }
        if let Some((partner, here)) = place.column {
            debug_assert_eq!(&**sourced, SOURCED);
            return if here { vec![Credit { id: None, partner, role: sourced.clone(), share: Rate::ONE }] } else { Vec::new() };
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;

    fn recorded(partner: PartnerNo, here: bool, from: Option<&str>) -> RecordedCredit {
        let window = Window { from: from.map(|day| parse_date(day).unwrap()), through: None };
        RecordedCredit { id: format!("K{partner}").into(), partner, role: SOURCED.into(), share: Rate::ONE, here, window }
    }

    #[test]
    fn the_nearest_place_with_any_wins_whole() {
        let day = parse_date("2024-03-01").unwrap();
        let sourced: Text = SOURCED.into();
        let here = [recorded(1, true, None)];
        let elsewhere = [recorded(2, false, None)];
        let later = [recorded(3, true, Some("2024-03-02"))];
        let column = Place { credits: &[], column: Some((9, true)) };
        let who = |places: &[Place<'_>]| resolve(places, day, &sourced).iter().map(|credit| credit.partner).collect::<Vec<_>>();
        assert_eq!(who(&[Place { credits: &here, column: Some((9, true)) }]), [1]);
        assert_eq!(who(&[Place::default(), column]), [9]);
        assert_eq!(who(&[Place { credits: &elsewhere, column: None }, column]), Vec::<PartnerNo>::new());
        assert_eq!(who(&[Place { credits: &later, column: None }, column]), [9]);
        assert_eq!(who(&[Place { credits: &later, column: Some((8, true)) }, column]), [8]);
    }
}
