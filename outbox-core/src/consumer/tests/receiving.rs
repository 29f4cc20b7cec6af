use super::scripted::{Scripted, Step};
use super::*;

#[tokio::test(start_paused = true)]
async fn while_the_queue_is_away_it_is_asked_again_ever_more_rarely() {
    let mut script: Vec<Step> = (0..40)
        .map(|n| if n % 2 == 0 { Step::Fail } else { Step::Empty })
        .collect();
    script.push(Step::Deliver(vec![("k", 1)]));
    script.extend([Step::Fail, Step::Deliver(vec![("k", 2)]), Step::Close]);
    let subscriber = Scripted::new(script);
    let asked = Arc::clone(&subscriber.asked);
    let running = Running::start(Consumer::builder(subscriber, |_: Message| async { Ok(()) }));
    let stopped = within(running.task).await.unwrap();
    assert_eq!(stopped.handled, 2, "it goes on as soon as the queue is back");
    let asked = asked.lock().unwrap();
    let waits: Vec<Duration> = asked.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    assert!(
        waits[..40]
            .iter()
            .all(|wait| *wait >= Duration::from_millis(50) && *wait <= 5 * SECOND),
        "{waits:?}"
    );
    assert!(waits[10..40].iter().max().unwrap() > &SECOND, "{waits:?}");
    assert!(
        waits[41] <= Duration::from_millis(201),
        "a success begins anew: {waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_can_be_stopped_while_the_queue_is_away() {
    let running = Running::start(Consumer::builder(
        Scripted::new((0..1_000).map(|_| Step::Fail)),
        |_: Message| async { Ok(()) },
    ));
    tokio::time::sleep(100 * SECOND).await;
    let before = tokio::time::Instant::now();
    running.stop().await;
    assert!(before.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_what_there_is_room_for() {
    let subscriber = Scripted::new([Step::Deliver((0..6).map(|n| ("", n)).collect())]);
    let asked = Arc::clone(&subscriber.asked);
    let builder = Consumer::builder(subscriber, |_: Message| std::future::pending());
    let running = Running::start(builder.concurrency(4).prefetch(6).drain_deadline(Duration::ZERO));
    settle().await;
    let asked: Vec<usize> = asked.lock().unwrap().iter().map(|&(max, _)| max).collect();
    assert_eq!(asked, [10, 4]);
    running.stop().await;
}
