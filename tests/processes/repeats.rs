//! What may have left before is not sent, refused or given up as if it had not.

use std::time::Duration;

use durable::kit::Theatre as _;

use crate::kit::stage_of_payout;
use crate::provider::Mood;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_repeat_says_nothing_of_what_left_before() {
    let world = stage_of_payout(Mood::PaysLateAndRefusesRepeats).fresh().await.expect("a world");
    world.play_for(Duration::from_hours(24)).await;
    assert_eq!(world.payout().await, ("paid".into(), String::new()), "the first request was paid");
    assert_eq!((world.provider.requests(), world.provider.books().len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_repeated_after_the_provider_may_have_forgotten_its_key() {
    let world = stage_of_payout(Mood::HearsNothing).fresh().await.expect("a world");
    world.play_for(Duration::from_hours(24 * 30)).await;
    let (status, reason) = world.payout().await;
    assert_eq!(status, "unknown");
    assert!(reason.contains("may have forgotten its key"), "{reason}");
    let within_a_day = world.provider.requests();
    assert!((2..50).contains(&within_a_day), "{within_a_day} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_surely_not_taken_leaves_again_however_late() {
    let world = stage_of_payout(Mood::StopsFirst).fresh().await.expect("a world");
    let run = world.play_for(Duration::from_hours(1)).await;
    assert_eq!((world.status_of(&run).await.as_str(), world.payout().await.0.as_str()), ("parked", "requested"));
    // The provider may have forgotten keys by now, but it has never had this one.
    world.retry_after(Duration::from_hours(30), &run).await;
    world.play_for(Duration::from_hours(1)).await;
    assert_eq!(world.payout().await.0, "paid");
    assert_eq!((world.provider.requests(), world.provider.books().len()), (2, 1));
    assert_eq!(world.status_of(&run).await, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_long_pause_has_kept_back_leaves_when_it_is_over() {
    let world = stage_of_payout(Mood::StopsFirst).fresh().await.expect("a world");
    let run = world.play_for(Duration::from_hours(1)).await;
    world.pause(true).await;
    world.retry_after(Duration::from_mins(1), &run).await;
    world.play_for(Duration::from_hours(24 * 5)).await;
    assert_eq!((world.payout().await.0.as_str(), world.provider.requests()), ("requested", 1));
    world.pause(false).await;
    world.play_for(Duration::from_mins(1)).await;
    assert_eq!((world.payout().await.0.as_str(), world.provider.requests()), ("paid", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_transit_for_long_is_looked_at_ever_more_seldom() {
    let world = stage_of_payout(Mood::Accepts).fresh().await.expect("a world");
    let run = world.play_for(Duration::from_hours(24 * 60)).await;
    assert_eq!(world.status_of(&run).await, "waiting");
    assert_eq!(world.payout().await.0, "requested");
    let looked_up = world.provider.look_ups();
    assert!((60..100).contains(&looked_up), "{looked_up} look-ups in sixty days");
}
