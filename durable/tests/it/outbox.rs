//! The outbox: once by key, under a lease, every end visible.

use std::time::Duration;

use durable::outbox::{self, Message};
use serde_json::json;

use crate::on_both;
use crate::support::Kind;
use crate::world::{Place, START};

on_both!(a_message_is_put_once_and_sent_once, a_silent_sender_loses_its_message, every_end_is_visible);

const LEASE: Duration = Duration::from_secs(30);

async fn claim(place: &Place, owner: &str, now: durable::Instant) -> Vec<Message> {
    place.tx(async |tx| outbox::claim(tx, "mail", owner, LEASE, 3, 10, now).await).await
}

async fn a_message_is_put_once_and_sent_once(kind: Kind) {
    let place = Place::new(kind).await;
    let first = place.tx(async |tx| outbox::put(tx, "mail", "statement 1", &json!({"to": "a@example.com"}), START).await).await;
    let again = place.tx(async |tx| outbox::put(tx, "mail", "statement 1", &json!({"to": "a@example.com"}), START).await).await;
    assert_eq!(first, again);
    let tx = place.database().begin_write().await.unwrap();
    let other = outbox::put(&tx, "mail", "statement 1", &json!({"to": "b@example.com"}), START).await.unwrap_err().to_string();
    assert!(other.contains("another body"), "{other}");
    tx.rollback().await.unwrap();
    place.tx(async |tx| outbox::put(tx, "webhook", "statement 1", &json!({}), START).await).await;

    let mine = claim(&place, "one", START).await;
    assert_eq!(mine.iter().map(|message| (message.id.as_str(), message.attempt)).collect::<Vec<_>>(), [(first.as_str(), 1)]);
    assert_eq!(claim(&place, "two", START).await, []);
    place.tx(async |tx| outbox::sent(tx, &mine[0], START).await).await;
    assert_eq!(claim(&place, "two", START.plus(LEASE * 2)).await, []);
    let tx = place.database().begin_write().await.unwrap();
    assert!(outbox::sent(&tx, &mine[0], START).await.is_err(), "a word counts once");
    tx.rollback().await.unwrap();
    place.assert_sound().await;
}

async fn a_silent_sender_loses_its_message(kind: Kind) {
    let place = Place::new(kind).await;
    place.tx(async |tx| outbox::put(tx, "mail", "k", &json!(1), START).await).await;
    let mut old = claim(&place, "one", START).await;
    for attempt in 2..=3 {
        // Silent past its lease: by the database's clock on PostgreSQL.
        place.execute("UPDATE outbox SET lease_until = 0 WHERE status = 'sending'").await;
        let new = claim(&place, "two", START).await;
        assert_eq!(new[0].attempt, attempt);
        let tx = place.database().begin_write().await.unwrap();
        assert!(outbox::sent(&tx, &old[0], START).await.is_err(), "the old sender's word comes too late");
        tx.rollback().await.unwrap();
        old = new;
    }
    place.execute("UPDATE outbox SET lease_until = 0 WHERE status = 'sending'").await;
    assert_eq!(claim(&place, "three", START).await, [], "after its attempts it is parked");
    let parked = outbox::list(place.database().read(), Some("parked"), None, 10).await.unwrap();
    assert!(parked[0].error.as_deref().unwrap().contains("its sender ended"));
    place.tx(async |tx| outbox::again(tx, &parked[0].id, START).await).await;
    assert_eq!(claim(&place, "three", START).await[0].attempt, 1);
}

async fn every_end_is_visible(kind: Kind) {
    let place = Place::new(kind).await;
    for key in ["retried", "parked", "bounced", "sent"] {
        place.tx(async |tx| outbox::put(tx, "mail", key, &json!(key), START).await).await;
    }
    let later = START.plus(Duration::from_mins(1));
    for message in claim(&place, "one", START).await {
        place
            .tx(async |tx| match message.key.as_str() {
                "retried" => outbox::retry_later(tx, &message, "451 try later", later).await,
                "parked" => outbox::park(tx, &message, "no address", START).await,
                "bounced" => outbox::bounced(tx, &message, "550 unknown", START).await,
                _ => outbox::sent(tx, &message, START).await,
            })
            .await;
    }
    let states = async || {
        let all = outbox::list(place.database().read(), None, None, 10).await.unwrap();
        let mut all: Vec<String> = all.into_iter().map(|row| format!("{} {} {}", row.key, row.status, row.error.unwrap_or_default())).collect();
        all.sort();
        all
    };
    assert_eq!(states().await, ["bounced bounced 550 unknown", "parked parked no address", "retried pending 451 try later", "sent sent "]);
    assert_eq!(claim(&place, "one", START).await, [], "not before its time");
    assert_eq!(claim(&place, "one", later).await[0].key, "retried");
    let sent = outbox::list(place.database().read(), Some("sent"), None, 10).await.unwrap()[0].id.clone();
    place.tx(async |tx| outbox::came_back(tx, &sent, "mailbox full", START).await).await;
    assert_eq!(outbox::list(place.database().read(), Some("bounced"), None, 10).await.unwrap().len(), 2);
    place.assert_sound().await;
}
