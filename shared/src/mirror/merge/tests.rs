#![expect(clippy::unwrap_used, reason = "tests may panic")]

use proptest::prelude::*;

use super::*;

fn seen(name: &str, phone: &str, tags: &[&str]) -> Seen {
    let name = (!name.is_empty()).then(|| name.to_owned());
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    Seen { name, phone: Phone::parse(phone), email: None, tags }
}

fn sides<'a>(here: &'a Seen, there: &'a Seen) -> Sides<'a> {
    Sides { here, there }
}

#[test]
fn what_changed_on_a_side_is_written_across_and_nothing_else() {
    let before = seen("Ada", "+393500000001", &["vip"]);
    let now = seen("Ada Lovelace", "+393500000001", &["lead", "vip"]);
    let (to, back) = merge(sides(&now, &before), Some(sides(&before, &before)), true);
    assert_eq!(
        (to.name.as_deref(), &to.phone, &to.add_tags[..]),
        (Some("Ada Lovelace"), &None, &["lead".to_owned()][..])
    );
    assert_eq!(back, Writes::default());
}

#[test]
fn our_own_write_that_comes_back_finds_nothing_to_write() {
    let (old, new) = (seen("Ada", "", &[]), seen("Ada Lovelace", "", &["vip"]));
    let (to, _) = merge(sides(&new, &old), Some(sides(&old, &old)), true);
    let written = to.applied(&old);
    assert_eq!(merge(sides(&written, &new), Some(sides(&written, &new)), true), Default::default());
    let unsaved = Some(sides(&old, &old));
    assert_eq!(merge(sides(&written, &new), unsaved, true), Default::default(), "nor when it was not yet remembered");
}

#[test]
fn what_changed_across_unnoticed_comes_back() {
    let before = seen("Ada", "", &[]);
    let (here, there) = (seen("Ada", "", &["new"]), seen("Ada", "+393500000001", &[]));
    let (to, back) = merge(sides(&here, &there), Some(sides(&before, &before)), false);
    assert_eq!((to.add_tags, back.phone.unwrap().as_str()), (vec!["new".to_owned()], "+393500000001"));
}

#[test]
fn where_both_changed_the_side_of_the_event_wins() {
    let before = seen("Ada", "", &[]);
    let (here, there) = (seen("Ada L.", "", &[]), seen("A. Lovelace", "", &[]));
    let (to, back) = merge(sides(&here, &there), Some(sides(&before, &before)), false);
    assert_eq!((to.name.as_deref(), back.name), (Some("Ada L."), None));
}

#[test]
fn two_who_are_found_to_be_one_fill_each_others_gaps_and_overwrite_only_by_an_edit() {
    let (here, there) = (seen("Ada", "", &["a"]), seen("Lovelace", "+393500000001", &["b"]));
    let (to, back) = merge(sides(&here, &there), None, false);
    assert_eq!((to.name, back.name), (None, None));
    assert_eq!(back.phone.unwrap().as_str(), "+393500000001");
    assert_eq!((to.add_tags, back.add_tags), (vec!["a".to_owned()], vec!["b".to_owned()]));
    let (to, _) = merge(sides(&here, &there), None, true);
    assert_eq!(to.name.as_deref(), Some("Ada"));
}

#[test]
fn a_tag_that_was_taken_away_is_taken_away_across_and_nothing_else_is_cleared() {
    let before = seen("Ada", "+393500000001", &["vip"]);
    let now = seen("", "", &[]);
    let (to, back) = merge(sides(&now, &before), Some(sides(&before, &before)), true);
    assert_eq!(to, Writes { remove_tags: vec!["vip".to_owned()], ..Writes::default() });
    assert_eq!(back, Writes::default(), "nor is what somebody cleared filled again");
}

#[test]
fn what_was_refused_is_not_tried_again_nor_undone() {
    for (here, there) in [(&[][..], &["vip"][..]), (&["vip"], &[])] {
        let (before, across) = (seen("Ada", "", here), seen("Ada", "", there));
        let now = seen("Ada Lovelace", "", here);
        let (to, back) = merge(sides(&now, &across), Some(sides(&before, &across)), true);
        assert_eq!(to, Writes { name: Some("Ada Lovelace".into()), ..Writes::default() });
        assert_eq!(back, Writes::default());
    }
    let (none, vip) = (seen("", "", &[]), seen("", "", &["vip"]));
    let (to, back) = merge(sides(&vip, &vip), Some(sides(&none, &vip)), true);
    assert_eq!((to, back), Default::default(), "set again by hand");
    let (_, back) = merge(sides(&none, &vip), Some(sides(&none, &none)), true);
    assert_eq!(back.add_tags, ["vip"], "nor is what is new across taken for it");
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let name = prop::option::of(prop::sample::select(vec!["Ada", "Bob", "Cleo"]));
    let phone = prop::option::of(prop::sample::select(vec!["+390000001", "+390000002"]));
    let tags = prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    (name, phone, tags).prop_map(|(name, phone, tags)| {
        seen(name.unwrap_or(""), phone.unwrap_or(""), &tags.into_iter().collect::<Vec<_>>())
    })
}

proptest! {
    #[test]
    fn after_one_write_per_side_the_sides_agree_and_stay_so(
        here in any_seen(), there in any_seen(), before in prop::option::of((any_seen(), any_seen())), edited: bool
    ) {
        let was = before.as_ref().map(|(here, there)| sides(here, there));
        let (to, back) = merge(sides(&here, &there), was, edited);
        let (now_here, now_there) = (back.applied(&here), to.applied(&there));
        let has = |seen: &Seen, tag: &str| seen.tags.iter().flatten().any(|has| has == tag);
        for tag in ["a", "b", "c"] {
            let as_before =
                was.is_some_and(|was| has(was.here, tag) == has(&here, tag) && has(was.there, tag) == has(&there, tag));
            prop_assert!(as_before || has(&now_here, tag) == has(&now_there, tag));
        }
        for (from, to) in [(&now_here, &now_there), (&now_there, &now_here)] {
            let again = merge(sides(from, to), Some(sides(from, to)), edited);
            prop_assert_eq!(again, Default::default());
        }
    }
}
