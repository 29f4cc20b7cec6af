//! What a fetch returns, and how far it says it looked.

use super::*;

pub(super) async fn pages_walk_over_gaps_to_the_end<D: Database>() {
    let db = D::new().await;
    let inserted = db.insert_all((0..25).map(|n| row(&n.to_string()))).await;
    let gone = [inserted[0], inserted[9], inserted[10], inserted[24]];
    let mut store = db.store().await;
    store.delivered(&gone, false).await.unwrap();
    let left: Vec<i64> = inserted.iter().copied().filter(|id| !gone.contains(id)).collect();

    // The short statement and the bounded one agree.
    for base in [
        all(),
        Fetch {
            stray_shards: true,
            ..all()
        },
    ] {
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = store
                .fetch(&Fetch {
                    after,
                    rows: 7,
                    ..base.clone()
                })
                .await
                .unwrap();
            assert!(page.rows.len() == 7 || page.end);
            assert!(page.due.is_empty() && page.due_end);
            seen.extend(ids(&page));
            after = page.scanned_to;
            if page.end {
                break;
            }
        }
        assert_eq!(seen, left);
        assert_eq!(after, left[20], "the end is where the last row was");

        let page = store
            .fetch(&Fetch {
                after: left[2],
                up_to: Some(left[5]),
                ..base.clone()
            })
            .await
            .unwrap();
        assert_eq!(ids(&page), left[3..=5]);
        assert_eq!((page.scanned_to, page.end), (left[5], true));

        let page = store
            .fetch(&Fetch {
                after: i64::MAX - 1,
                ..base.clone()
            })
            .await
            .unwrap();
        assert_eq!((page.scanned_to, page.end), (i64::MAX - 1, true));

        let page = store
            .fetch(&Fetch {
                rows: 0,
                ..base.clone()
            })
            .await
            .unwrap();
        assert_eq!((page.rows.len(), page.scanned_to, page.end), (0, 0, false));
    }
}

pub(super) async fn a_row_comes_as_it_was_written<D: Database>() {
    let db = D::new().await;
    db.insert(New {
        topic: "orders.placed",
        payload: vec![0, 255, 10],
        headers: r#"{"content-type":"text/plain","x":1}"#,
        shard: 63,
        ..row("kü")
    })
    .await;
    db.insert(New {
        key: None,
        payload: Vec::new(),
        ..row("")
    })
    .await;
    db.run("UPDATE outbox SET attempts = 5").await;
    let page = db.store().await.fetch(&all()).await.unwrap();
    let [one, two] = &page.rows[..] else {
        panic!("{page:?}")
    };
    assert_eq!(one.message.topic(), "orders.placed");
    assert_eq!(one.message.key(), Some("kü"));
    assert_eq!(&one.message.payload()[..], [0, 255, 10]);
    assert_eq!(one.message.content_type(), "text/plain");
    assert_eq!(one.message.headers().get("x"), Some("1"));
    assert_eq!(
        (one.shard.number(), one.attempts, one.held, one.due),
        (63, 5, false, None)
    );
    assert_eq!(one.problem, None);
    let age = one.message.created_at().elapsed().unwrap_or_default();
    assert!(age < MINUTE, "{age:?}");
    assert_eq!((two.message.key(), two.message.payload().len()), (None, 0));
    assert_ne!(one.message.id(), two.message.id());
    // The same id at each reading.
    let again = db.store().await.fetch(&all()).await.unwrap();
    assert_eq!(again.rows[0].message.id(), one.message.id());
}

pub(super) async fn due_rows_follow_their_cursor<D: Database>() {
    let db = D::new().await;
    let due = |key: &str, due: i64, hold: i16| New {
        due: Some(due),
        hold,
        ..row(key)
    };
    let late = db.insert(due("late", -1000, 0)).await;
    let early = db.insert(due("early", -9000, 1)).await;
    let future = db.insert(due("future", 60_000, 0)).await;
    let blocked = db.insert(due("blocked", -9500, 2)).await;
    let fresh = db.insert(row("fresh")).await;
    let middle = db.insert(due("middle", -5000, 0)).await;
    // At the same time: by id.
    db.run(&format!(
        "UPDATE outbox SET due_at = (SELECT due_at FROM (SELECT due_at FROM outbox WHERE id = {middle}) AS m) WHERE id = {late}"
    ))
    .await;
    let mut store = db.store().await;
    for base in [all(), part(shards(&[0, 1]))] {
        let page = store.fetch(&base).await.unwrap();
        assert_eq!(due_ids(&page), [early, late, middle]);
        assert_eq!(ids(&page), [fresh], "neither {future} nor {blocked}");
        assert!(page.due_end);
        assert_eq!(
            page.due.iter().map(|row| row.held).collect::<Vec<_>>(),
            [true, false, false]
        );

        let mut seen = Vec::new();
        let mut due_after: Option<DueCursor> = None;
        loop {
            let page = store
                .fetch(&Fetch {
                    due_after,
                    due_rows: 1,
                    rows: 0,
                    ..base.clone()
                })
                .await
                .unwrap();
            seen.extend(due_ids(&page));
            assert!(page.rows.is_empty());
            match page.due.last() {
                Some(row) => due_after = row.due,
                None => {
                    assert!(page.due_end);
                    break;
                }
            }
        }
        assert_eq!(seen, [early, late, middle]);

        let page = store
            .fetch(&Fetch {
                due_rows: 0,
                ..base.clone()
            })
            .await
            .unwrap();
        assert!(page.due.is_empty());
    }
}

pub(super) async fn what_waits_behind_a_hold_is_left_out<D: Database>() {
    let db = D::new().await;
    let topic = |topic, key| New { topic, ..row(key) };
    let due = |new: New, hold| New {
        due: Some(-1000),
        hold,
        ..new
    };
    let a1 = db.insert(due(topic("a", "1"), 1)).await;
    let a1_late = db.insert(due(topic("a", "1"), 0)).await;
    let a1_next = db.insert(topic("a", "1")).await;
    let a2 = db.insert(topic("a", "2")).await;
    let b1 = db.insert(topic("b", "1")).await;
    let b_held = db.insert(due(topic("b", "2"), 1)).await;
    let b_late = db.insert(due(topic("b", "3"), 0)).await;
    let b_free = db
        .insert(New {
            key: None,
            ..topic("b", "")
        })
        .await;
    let a_free = db
        .insert(New {
            key: None,
            ..topic("a", "")
        })
        .await;
    let mut store = db.store().await;

    let page = store
        .fetch(&Fetch {
            exclude_keys: vec![("a".into(), "1".into()), ("b".into(), "x'\"]".into())],
            ..all()
        })
        .await
        .unwrap();
    assert_eq!(
        ids(&page),
        [a2, b1, b_free, a_free],
        "a key is a topic's own, and no key is no key"
    );
    assert_eq!(
        due_ids(&page),
        [a1, b_held, b_late],
        "the held row comes, {a1_late} and {a1_next} wait"
    );
    assert_eq!((page.scanned_to, page.end), (a_free, true));

    let page = store
        .fetch(&Fetch {
            exclude_topics: vec!["b".into(), "c".into()],
            ..all()
        })
        .await
        .unwrap();
    assert_eq!(ids(&page), [a1_next, a2, a_free]);
    assert_eq!(due_ids(&page), [a1, a1_late, b_held]);

    // Nothing but rows to leave out: the page still moves on.
    let page = store
        .fetch(&Fetch {
            exclude_topics: vec!["a".into(), "b".into()],
            due_rows: 0,
            scan_rows: 2,
            ..all()
        })
        .await
        .unwrap();
    assert_eq!((page.rows.len(), page.scanned_to, page.end), (0, a2, false));
}

pub(super) async fn a_part_owner_moves_on_past_the_rows_of_others<D: Database>() {
    let db = D::new().await;
    // 40 rows of others, then one of ours, then 3 of others.
    let mut new: Vec<New> = (0..40)
        .map(|n| New {
            shard: 7 + n % 2,
            ..row("o")
        })
        .collect();
    new.push(New {
        shard: 63,
        ..row("ours")
    });
    new.extend((0..3).map(|_| New { shard: 8, ..row("o") }));
    new.push(New {
        shard: 8,
        due: Some(-1000),
        ..row("due of others")
    });
    let inserted = db.insert_all(new).await;
    let mut store = db.store().await;
    let ours = Fetch {
        scan_rows: 16,
        ..part(shards(&[63, 5]))
    };

    let mut after = 0;
    let mut steps = Vec::new();
    loop {
        let page = store
            .fetch(&Fetch {
                after,
                ..ours.clone()
            })
            .await
            .unwrap();
        assert!(page.due.is_empty() && page.due_end);
        after = page.scanned_to;
        steps.push((ids(&page), page.scanned_to, page.end));
        if page.end {
            break;
        }
    }
    let nothing = Vec::new;
    assert_eq!(
        steps,
        [
            (nothing(), inserted[15], false),
            (nothing(), inserted[31], false),
            (vec![inserted[40]], inserted[43], true),
        ]
    );

    // Full by rows: up to the last of them and no further.
    let page = store
        .fetch(&Fetch {
            rows: 2,
            ..part(shards(&[7]))
        })
        .await
        .unwrap();
    assert_eq!(
        (ids(&page), page.scanned_to, page.end),
        (vec![inserted[0], inserted[2]], inserted[2], false)
    );

    // Exactly as many as may be looked at: the end is not known yet.
    let page = store
        .fetch(&Fetch {
            after: inserted[27],
            ..ours.clone()
        })
        .await
        .unwrap();
    assert_eq!((page.scanned_to, page.end), (inserted[43], false));
    let page = store
        .fetch(&Fetch {
            after: inserted[43],
            ..ours.clone()
        })
        .await
        .unwrap();
    assert_eq!((page.scanned_to, page.end), (inserted[43], true));

    let page = store
        .fetch(&Fetch {
            up_to: Some(inserted[3]),
            ..ours
        })
        .await
        .unwrap();
    assert_eq!((page.scanned_to, page.end), (inserted[3], true));
}

pub(super) async fn each_shard_is_in_one_part<D: Database>() {
    let db = D::new().await;
    let inserted = db
        .insert_all((0..64).map(|shard| New { shard, ..row("k") }))
        .await;
    let mut store = db.store().await;
    for (number, id) in inserted.iter().enumerate() {
        let mine = shards(&[i16::try_from(number).unwrap()]);
        let page = store.fetch(&part(mine)).await.unwrap();
        assert_eq!(ids(&page), [*id], "shard {number}");
        let page = store.fetch(&part(ShardSet::ALL.without(mine))).await.unwrap();
        assert_eq!(page.rows.len(), 63, "all but shard {number}");
    }
}

pub(super) async fn stray_shards_count_as_shard_0_when_asked_for<D: Database>() {
    let db = D::new().await;
    let inserted = db
        .insert_all([0, -1, 64, 128, i16::MIN].map(|shard| New { shard, ..row("k") }))
        .await;
    let due = db
        .insert_all([64, -64].map(|shard| New {
            shard,
            due: Some(-1000),
            hold: 1,
            ..row("k")
        }))
        .await;
    let mut store = db.store().await;

    let page = store.fetch(&part(shards(&[0, 1]))).await.unwrap();
    assert_eq!((ids(&page), page.scanned_to), (vec![inserted[0]], inserted[4]));
    let page = store
        .fetch(&Fetch {
            stray_shards: true,
            ..part(shards(&[0, 1]))
        })
        .await
        .unwrap();
    assert_eq!(ids(&page), inserted);
    assert!(page.rows.iter().all(|row| row.shard.number() == 0));
    assert_eq!(due_ids(&page), due);
    // Whoever does not own shard 0 never sees them.
    let page = store
        .fetch(&part(ShardSet::ALL.without(shards(&[0]))))
        .await
        .unwrap();
    assert!(page.rows.is_empty() && page.due.is_empty(), "{page:?}");
    // The owner of all leaves nothing behind.
    for stray_shards in [false, true] {
        let page = store
            .fetch(&Fetch {
                stray_shards,
                ..all()
            })
            .await
            .unwrap();
        assert_eq!(ids(&page), inserted);
    }
}

pub(super) async fn a_page_stops_at_its_weight<D: Database>() {
    let db = D::new().await;
    let heavy = |key: &str| New {
        payload: vec![7; 100_000],
        ..row(key)
    };
    let inserted = db.insert_all((0..40).map(|n| heavy(&n.to_string()))).await;
    let due = db
        .insert_all((0..3).map(|n| New {
            due: Some(-1000),
            ..heavy(&n.to_string())
        }))
        .await;
    let mut store = db.store().await;
    for base in [all(), part(shards(&[0]))] {
        // Due rows first, and at least one row of each kind.
        let page = store
            .fetch(&Fetch {
                bytes: 1,
                ..base.clone()
            })
            .await
            .unwrap();
        assert_eq!((due_ids(&page), page.due_end), (vec![due[0]], false));
        assert_eq!(
            (ids(&page), page.scanned_to, page.end),
            (vec![inserted[0]], inserted[0], false)
        );

        // Whatever the store has learnt about weights by now, nothing is passed over.
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = store
                .fetch(&Fetch {
                    after,
                    bytes: 250_000,
                    due_rows: 0,
                    ..base.clone()
                })
                .await
                .unwrap();
            assert!((1..=3).contains(&page.rows.len()), "{}", page.rows.len());
            seen.extend(ids(&page));
            assert_eq!(page.scanned_to, *seen.last().unwrap());
            after = page.scanned_to;
            if page.end {
                break;
            }
        }
        assert_eq!(seen, inserted);
    }
    // After heavy rows the light ones come in full pages again.
    store.delivered(&inserted, false).await.unwrap();
    store.delivered(&due, false).await.unwrap();
    db.insert_all((0..60).map(|n| row(&n.to_string()))).await;
    let light = Fetch {
        bytes: 100_000,
        ..all()
    };
    let mut sizes = Vec::new();
    for _ in 0..8 {
        sizes.push(store.fetch(&light).await.unwrap().rows.len());
    }
    assert_eq!(sizes.last(), Some(&60), "{sizes:?}");
}

pub(super) async fn a_malformed_row_is_a_row_with_a_problem<D: Database>() {
    let db = D::new().await;
    let bad = [
        New {
            topic: "",
            ..row("k")
        },
        New {
            topic: "a b",
            ..row("k")
        },
        row(""),
        row("a\nb"),
        New {
            headers: "[1]",
            ..row("k")
        },
        New {
            headers: r#"{"a":{"b":1}}"#,
            ..row("k")
        },
        New {
            headers: r#"{"a":"x\r\ny: z"}"#,
            ..row("k")
        },
    ];
    let count = bad.len();
    db.insert_all(bad).await;
    let good = db.insert(row("k")).await;
    let mut store = db.store().await;
    let page = store.fetch(&all()).await.unwrap();
    assert_eq!(page.rows.len(), count + 1);
    for row in &page.rows {
        assert_eq!(row.problem.is_none(), row.id == good, "{row:?}");
    }
    // And each of them can be buried.
    let epoch = store.lease(&lease("r")).await.unwrap().shards[0].1;
    let failures: Vec<Failure> = page
        .rows
        .iter()
        .filter(|row| row.problem.is_some())
        .map(|row| failure(row.id, epoch, FailureAction::BuryInvalid))
        .collect();
    assert_eq!(store.failed("r", &failures).await.unwrap().len(), count);
    assert_eq!(ids(&store.fetch(&all()).await.unwrap()), [good]);
    assert_eq!(
        db.text("SELECT DISTINCT reason FROM outbox_dead").await,
        "invalid"
    );
}
