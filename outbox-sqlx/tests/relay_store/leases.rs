//! Who owns which shard, and what hangs on a shard.

use super::*;

pub(super) async fn relays_share_the_shards_fairly<D: Database>() {
    let db = D::new().await;
    let names = ["a", "b", "c", "d"];
    let mut stores = Vec::new();
    for _ in names {
        stores.push(db.store().await);
    }
    let everything = usize::from(SHARDS);
    for alive in 1..=4 {
        // Each gives back what is above its share, as it learns of the others; then all claim.
        for _ in 0..3 {
            for (store, name) in stores.iter_mut().zip(names).take(alive) {
                let held = store
                    .lease(&LeaseRequest {
                        claim: false,
                        ..lease(name)
                    })
                    .await
                    .unwrap();
                let release: ShardSet = held
                    .shards
                    .iter()
                    .skip(held.fair_share)
                    .map(|(shard, _)| *shard)
                    .collect();
                let held = store
                    .lease(&LeaseRequest {
                        release,
                        ..lease(name)
                    })
                    .await
                    .unwrap();
                assert!(held.shards.len() <= held.fair_share);
                assert!(
                    held.shards.iter().all(|(shard, _)| !release.contains(*shard)),
                    "what was just given back is for others"
                );
            }
        }
        let mut owned = ShardSet::default();
        for (store, name) in stores.iter_mut().zip(names).take(alive) {
            let held = store.lease(&lease(name)).await.unwrap();
            assert_eq!(held.fair_share, everything.div_ceil(alive));
            for (shard, _) in held.shards {
                assert!(!owned.contains(shard), "one owner");
                owned.insert(shard);
            }
        }
        assert_eq!(owned, ShardSet::ALL, "{alive} relays own all");
    }

    // One leaves, one is gone without a word: the others take over at once, or when its lease ran out.
    stores[3].leave("d").await.unwrap();
    assert_eq!(stores[0].lease(&lease("a")).await.unwrap().fair_share, 22);
    db.run(&format!(
        "UPDATE outbox_relay SET seen_until = {past} WHERE relay = 'c';
         UPDATE outbox_shard SET lease_until = {past} WHERE owner = 'c'",
        past = D::time(-1)
    ))
    .await;
    for (store, name) in stores.iter_mut().zip(names).take(2) {
        assert_eq!(store.lease(&lease(name)).await.unwrap().shards.len(), 32);
    }
    // Who has been gone for long is forgotten.
    db.run(&format!(
        "UPDATE outbox_relay SET seen_until = {} WHERE relay = 'c'",
        D::time(-7_200_000)
    ))
    .await;
    stores[0].lease(&lease("a")).await.unwrap();
    assert_eq!(
        db.texts("SELECT relay FROM outbox_relay ORDER BY relay").await,
        ["a", "b"]
    );
}

pub(super) async fn a_lease_that_ran_out_is_claimed_under_a_new_epoch<D: Database>() {
    let db = D::new().await;
    let mut store = db.store().await;
    let first = store.lease(&lease("a")).await.unwrap();
    assert_eq!(first.shards.len(), 64);
    assert!(first.shards.is_sorted());
    let renewed = store.lease(&lease("a")).await.unwrap();
    assert_eq!(renewed.shards, first.shards, "a renewal changes no epoch");

    db.run(&format!(
        "UPDATE outbox_shard SET lease_until = {} WHERE shard < 2",
        D::time(-1)
    ))
    .await;
    let idle = store
        .lease(&LeaseRequest {
            claim: false,
            ..lease("a")
        })
        .await
        .unwrap();
    assert_eq!(idle.shards, first.shards[2..], "what ran out is not renewed");
    let again = store.lease(&lease("a")).await.unwrap();
    assert_eq!(again.shards[2..], first.shards[2..]);
    for (before, after) in first.shards.iter().zip(&again.shards).take(2) {
        assert_eq!((after.0, after.1), (before.0, before.1 + 1));
    }

    store.leave("a").await.unwrap();
    assert_eq!(
        db.text("SELECT count(*) || '' FROM outbox_shard WHERE owner IS NOT NULL OR lease_until IS NOT NULL")
            .await,
        "0"
    );
    assert_eq!(db.text("SELECT count(*) || '' FROM outbox_relay").await, "0");
    let other = db.store().await.lease(&lease("b")).await.unwrap();
    assert!(
        other
            .shards
            .iter()
            .zip(&again.shards)
            .all(|(b, a)| b.1 == a.1 + 1)
    );
}

pub(super) async fn holds_parked_keys_and_rewinds_are_read_by_shard<D: Database>() {
    let db = D::new().await;
    let held = |key: &str, shard, hold| New {
        shard,
        hold,
        due: Some(60_000),
        ..row(key)
    };
    let retry = db.insert(held("retry", 3, 1)).await;
    let blocked = db.insert(held("blocked", 3, 2)).await;
    db.insert(held("delayed", 3, 0)).await;
    db.insert(held("elsewhere", 4, 1)).await;
    db.insert(New {
        key: None,
        ..held("", 3, 1)
    })
    .await;
    let stray = db.insert(held("stray", 77, 1)).await;
    db.insert(row("fresh")).await;
    db.run(
        "INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('t', 'p', 3), ('t', 'q', 5);
         UPDATE outbox_shard SET rewind_to = 40 + shard WHERE shard IN (3, 5)",
    )
    .await;
    let mut store = db.store().await;

    let holds = store.holds("a", shards(&[3]), 10).await.unwrap();
    let (three, text) = (Shard::from_stored(3), |text: &str| -> Arc<str> { text.into() });
    assert_eq!(
        holds.held.iter().cloned().collect::<HashSet<_>>(),
        HashSet::from([
            (retry, three, text("t"), text("retry")),
            (blocked, three, text("t"), text("blocked")),
        ])
    );
    assert_eq!(holds.parked, [(three, text("t"), text("p"))]);
    assert!(holds.rewinds.is_empty(), "only the owner rewinds");
    let holds = store.holds("a", shards(&[0]), 10).await.unwrap();
    assert_eq!(
        holds.held,
        [(stray, Shard::from_stored(0), text("t"), text("stray"))]
    );
    let holds = store.holds("a", ShardSet::ALL, 1).await.unwrap();
    assert_eq!((holds.held.len(), holds.parked.len()), (1, 1));

    // A gained shard is read from its beginning, so its rewind is gone; one set later is for its owner.
    store.lease(&lease("a")).await.unwrap();
    assert!(
        store
            .holds("a", ShardSet::ALL, 10)
            .await
            .unwrap()
            .rewinds
            .is_empty()
    );
    db.run("UPDATE outbox_shard SET rewind_to = 40 + shard WHERE shard IN (3, 5, 6)")
        .await;
    let (five, six) = (Shard::from_stored(5), Shard::from_stored(6));
    let holds = store.holds("a", shards(&[3, 5]), 10).await.unwrap();
    assert_eq!(
        holds.rewinds.iter().copied().collect::<HashSet<_>>(),
        HashSet::from([(three, 43), (five, 45)])
    );
    assert!(
        store
            .holds("b", ShardSet::ALL, 10)
            .await
            .unwrap()
            .rewinds
            .is_empty()
    );

    // A renewal keeps it. Cleared is only what still has the value that was read, and only by the owner.
    store.lease(&lease("a")).await.unwrap();
    db.run("UPDATE outbox_shard SET rewind_to = 7 WHERE shard = 5")
        .await;
    store.clear_rewinds("b", &[(six, 46)]).await.unwrap();
    store
        .clear_rewinds("a", &[(three, 43), (five, 45)])
        .await
        .unwrap();
    store.clear_rewinds("a", &[]).await.unwrap();
    let holds = store.holds("a", ShardSet::ALL, 10).await.unwrap();
    assert_eq!(
        holds.rewinds.iter().copied().collect::<HashSet<_>>(),
        HashSet::from([(five, 7), (six, 46)])
    );
}

pub(super) async fn the_horizon_is_above_every_row<D: Database>() {
    let db = D::new().await;
    let mut store = db.store().await;
    let bounded = store.floor_rule() != FloorRule::SingleWriter;
    let empty = store.horizon().await.unwrap();
    assert_eq!(empty, if bounded { 0 } else { i64::MAX });
    let inserted = db.insert_all([row("a"), row("b")]).await;
    let horizon = store.horizon().await.unwrap();
    assert_eq!(horizon, if bounded { inserted[1] } else { i64::MAX });
    store.delivered(&inserted, false).await.unwrap();
    assert_eq!(store.horizon().await.unwrap(), horizon, "though nothing is left");
    let later = db.insert(row("c")).await;
    assert!(!bounded || later > horizon);
    assert!(store.writers().await.unwrap().is_empty());
}

pub(super) async fn a_schema_that_does_not_fit_is_refused<D: Database>() {
    let db = D::new().await;
    let refused = |reason: Result<(), StoreError>| match reason {
        Err(StoreError::Unusable { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let mut store = db.unopened();
    db.run("INSERT INTO outbox_schema (version) VALUES (99)").await;
    let reason = refused(store.open().await);
    assert!(
        reason.contains("version 99") && reason.contains("newer"),
        "{reason}"
    );
    db.run("DELETE FROM outbox_schema").await;
    let reason = refused(store.open().await);
    assert!(
        reason.contains("version 0") && reason.contains("run the migrations"),
        "{reason}"
    );
    db.run("DROP TABLE outbox_schema").await;
    let reason = refused(store.open().await);
    assert!(reason.contains("not there; run the migrations"), "{reason}");
    db.run(
        "CREATE TABLE outbox_schema (version integer PRIMARY KEY);
         INSERT INTO outbox_schema (version) VALUES (5)",
    )
    .await;
    store.open().await.unwrap();
}
