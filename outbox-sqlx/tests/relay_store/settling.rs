//! What is written about a delivery or a failure, and by whom.

use super::*;

pub(super) async fn failures_are_written_down<D: Database>() {
    let db = D::new().await;
    let inserted = db.insert_all((0..8).map(|n| row(&n.to_string()))).await;
    db.run(&format!(
        "UPDATE outbox SET attempts = 9 WHERE id = {}",
        inserted[0]
    ))
    .await;
    let unkeyed = db.insert(New { key: None, ..row("") }).await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    use FailureAction::*;
    let actions = [
        Retry(MINUTE),
        Retry(Duration::MAX),
        Retry(Duration::ZERO),
        Block,
        Bury,
        BuryInvalid,
        Park,
    ];
    let mut failures: Vec<Failure> = inserted
        .iter()
        .zip(actions)
        .map(|(id, action)| failure(*id, epoch, action))
        .collect();
    failures.push(Failure {
        key: None,
        ..failure(unkeyed, epoch, Park)
    });
    failures.push(failure(i64::MAX, epoch, Retry(MINUTE)));
    failures.push(failure(i64::MAX - 1, epoch, Bury));
    let settled = store.failed("a", &failures).await.unwrap();
    assert_eq!(
        settled,
        set(&[&inserted[..7], &[unkeyed]].concat()),
        "what was there"
    );

    let id = |n: usize| inserted[n];
    assert_eq!(
        db.texts(ROWS).await,
        [
            format!("{} hold=1 attempts=9 refused: ü", id(0)),
            format!("{} hold=1 attempts=3 refused: ü", id(1)),
            format!("{} hold=1 attempts=3 refused: ü", id(2)),
            format!("{} hold=2 attempts=3 refused: ü", id(3)),
            format!("{} hold=0 attempts=0 -", id(7)),
        ]
    );
    assert_eq!(
        db.texts(DEAD).await,
        [
            format!("{} skipped attempts=3 refused: ü", id(4)),
            format!("{} invalid attempts=3 refused: ü", id(5)),
            format!("{} parked attempts=3 refused: ü", id(6)),
            format!("{unkeyed} skipped attempts=3 refused: ü"),
        ]
    );
    assert_eq!(
        db.texts("SELECT topic || ' ' || message_key || ' ' || shard || ' ' || error FROM outbox_parked")
            .await,
        ["t 6 0 refused: ü"]
    );
    let page = store.fetch(&all()).await.unwrap();
    assert_eq!(
        (ids(&page), due_ids(&page)),
        (vec![id(7)], vec![id(2)]),
        "only the wait of 0 is over"
    );
    let soon = format!(
        "SELECT id || '' FROM outbox WHERE due_at < {} ORDER BY id",
        D::time(61_000)
    );
    assert_eq!(
        db.texts(&soon).await,
        [id(0), id(2), id(3)].map(|id| id.to_string())
    );

    // Many at once, and an outcome for each of them.
    let many = db.insert_all((0..300).map(|n| row(&format!("m{n}")))).await;
    let failures: Vec<Failure> = many
        .iter()
        .map(|id| failure(*id, epoch, if id % 2 == 0 { Retry(MINUTE) } else { Bury }))
        .collect();
    assert_eq!(store.failed("a", &failures).await.unwrap(), set(&many));
    assert!(store.failed("a", &[]).await.unwrap().is_empty());
}

pub(super) async fn a_former_owner_changes_nothing<D: Database>() {
    let db = D::new().await;
    let inserted = db.insert_all((0..5).map(|_| row("k"))).await;
    let mut former = db.store().await;
    let mut owner = db.store().await;
    let old = former.lease(&lease("a")).await.unwrap().shards[0].1;
    db.run(&format!("UPDATE outbox_shard SET lease_until = {}", D::time(-1)))
        .await;
    db.run(&format!("UPDATE outbox_relay SET seen_until = {}", D::time(-1)))
        .await;
    let new = owner.lease(&lease("b")).await.unwrap().shards[0].1;
    assert_eq!(new, old + 1);
    db.run("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('t', 'k', 0)")
        .await;
    let before = db.texts(ROWS).await;

    use FailureAction::*;
    let actions = [Retry(MINUTE), Block, Bury, BuryInvalid, Park];
    // Neither with its own epoch, nor with one that it guessed, nor under the owner's name.
    for (relay, epoch) in [("a", old), ("a", new), ("b", old), ("c", new)] {
        let failures: Vec<Failure> = inserted
            .iter()
            .zip(actions)
            .map(|(id, action)| failure(*id, epoch, action))
            .collect();
        assert!(
            former.failed(relay, &failures).await.unwrap().is_empty(),
            "{relay} {epoch}"
        );
        let rows: Vec<ParkedRow> = inserted
            .iter()
            .map(|&id| ParkedRow {
                id,
                shard: Shard::from_stored(0),
                epoch,
            })
            .collect();
        assert!(
            former.move_parked(relay, &rows).await.unwrap().is_empty(),
            "{relay} {epoch}"
        );
    }
    assert_eq!(db.texts(ROWS).await, before);
    assert!(db.texts(DEAD).await.is_empty());

    // Given back is not held, though nobody has claimed it yet.
    owner
        .lease(&LeaseRequest {
            release: shards(&[0]),
            claim: false,
            ..lease("b")
        })
        .await
        .unwrap();
    assert!(
        owner
            .failed("b", &[failure(inserted[0], new, Block)])
            .await
            .unwrap()
            .is_empty()
    );
    // One stale shard in a batch doesn't spoil the others.
    let other = db.insert(New { shard: 9, ..row("x") }).await;
    let fine = Failure {
        shard: Shard::from_stored(9),
        ..failure(other, new, Block)
    };
    let settled = owner
        .failed("b", &[failure(inserted[0], new, Block), fine])
        .await
        .unwrap();
    assert_eq!(settled, set(&[other]));
}

pub(super) async fn delivered_rows_go_and_may_go_twice<D: Database>() {
    let db = D::new().await;
    let inserted = db.insert_all((0..20).map(|n| row(&n.to_string()))).await;
    let mut store = db.store().await;
    store.delivered(&[], false).await.unwrap();
    store.delivered(&[], true).await.unwrap();
    // Close together, and far apart.
    store
        .delivered(&[inserted[2], inserted[0], inserted[1]], false)
        .await
        .unwrap();
    store
        .delivered(&[inserted[19], inserted[3], i64::MAX, inserted[3]], false)
        .await
        .unwrap();
    store.delivered(&inserted[0..4], false).await.unwrap();
    assert_eq!(ids(&store.fetch(&all()).await.unwrap()), inserted[4..19]);
    // Unordered, with holes: only what is named.
    store
        .delivered(&[inserted[8], inserted[4], inserted[6]], false)
        .await
        .unwrap();
    let left: Vec<i64> = [&inserted[5..6], &inserted[7..8], &inserted[9..19]].concat();
    assert_eq!(ids(&store.fetch(&all()).await.unwrap()), left);

    store.delivered(&left[..3], true).await.unwrap();
    store.delivered(&left[..3], true).await.unwrap();
    // Back again, as after a restored backup: the archive keeps what it has.
    db.run(&format!(
        "INSERT INTO outbox_archive (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts)
         SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts
           FROM outbox WHERE id = {}",
        left[3]
    ))
    .await;
    store.delivered(&left[3..4], true).await.unwrap();
    assert_eq!(
        db.texts("SELECT id || ' ' || topic || ' ' || message_key FROM outbox_archive ORDER BY id")
            .await,
        left[..4]
            .iter()
            .map(|id| format!("{id} t {}", inserted.iter().position(|i| i == id).unwrap()))
            .collect::<Vec<_>>()
    );
    assert_eq!(ids(&store.fetch(&all()).await.unwrap()), left[4..]);
}

pub(super) async fn burying_and_parking_twice_changes_nothing<D: Database>() {
    let db = D::new().await;
    let inserted = db.insert_all([row("a"), row("b")]).await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    // Both are dead already, and one key is parked already.
    db.run(
        "INSERT INTO outbox_dead (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, reason)
         SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, 1, 'skipped' FROM outbox;
         INSERT INTO outbox_parked (topic, message_key, shard, error) VALUES ('t', 'b', 0, 'first')",
    )
    .await;
    let failures = [
        failure(inserted[0], epoch, FailureAction::Bury),
        failure(inserted[1], epoch, FailureAction::Park),
    ];
    assert_eq!(store.failed("a", &failures).await.unwrap(), set(&inserted));
    assert!(store.failed("a", &failures).await.unwrap().is_empty());
    assert!(db.texts(ROWS).await.is_empty());
    assert_eq!(
        db.texts(DEAD).await,
        inserted
            .iter()
            .map(|id| format!("{id} skipped attempts=1 -"))
            .collect::<Vec<_>>()
    );
    assert_eq!(db.text("SELECT error FROM outbox_parked").await, "first");
}

pub(super) async fn rows_of_a_parked_key_move_while_it_is_parked<D: Database>() {
    let db = D::new().await;
    let other_topic = New {
        topic: "u",
        ..row("k")
    };
    let inserted = db
        .insert_all([row("k"), row("k"), row("other"), other_topic, row("k")])
        .await;
    let unkeyed = db.insert(New { key: None, ..row("") }).await;
    db.run(&format!(
        "UPDATE outbox SET attempts = 2, last_error = 'before' WHERE id = {}",
        inserted[1]
    ))
    .await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    let parked = |ids: &[i64]| -> Vec<ParkedRow> {
        ids.iter()
            .map(|&id| ParkedRow {
                id,
                shard: Shard::from_stored(0),
                epoch,
            })
            .collect()
    };
    assert!(
        store
            .move_parked("a", &parked(&inserted))
            .await
            .unwrap()
            .is_empty(),
        "nothing is parked"
    );
    db.run("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('t', 'k', 0)")
        .await;
    let rows = parked(&[&inserted[..4], &[unkeyed, i64::MAX]].concat());
    assert_eq!(store.move_parked("a", &rows).await.unwrap(), set(&inserted[..2]));
    assert!(store.move_parked("a", &rows).await.unwrap().is_empty());
    assert_eq!(
        db.texts(DEAD).await,
        [
            format!("{} parked attempts=0 -", inserted[0]),
            format!("{} parked attempts=2 before", inserted[1]),
        ]
    );
    db.run("DELETE FROM outbox_parked").await;
    assert!(
        store
            .move_parked("a", &parked(&inserted[4..]))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(db.texts(ROWS).await.len(), 4);
    assert!(store.move_parked("a", &[]).await.unwrap().is_empty());
}
