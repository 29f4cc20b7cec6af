use outbox_sqlx::postgres::check_durability;
use sqlx::postgres::PgPoolOptions;

#[tokio::test]
async fn a_commit_that_a_crash_undoes_is_told() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    let safe = check_durability(&pool).await.unwrap();
    assert_eq!(safe.synchronous_commit, "on");
    let options = (*pool.connect_options())
        .clone()
        .options([("synchronous_commit", "off")]);
    let careless = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap();
    let durability = check_durability(&careless).await.unwrap();
    assert!(!durability.is_safe());
    assert!(
        durability.to_string().contains("synchronous_commit is off"),
        "{durability}"
    );
}
