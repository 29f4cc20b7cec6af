use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::BodyExt as _;

/// A body that was read up to a limit.
pub(super) enum Collected {
    /// All of it.
    Whole(Bytes),
    /// It is longer: what was read, and the rest.
    Longer(Bytes, Body),
}

/// Reads a body to its end, or until it is longer than `max` bytes. Trailers are left out.
pub(super) async fn collect(mut body: Body, max: usize) -> Result<Collected, axum::Error> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        read.extend_from_slice(&data);
        if read.len() > max {
            return Ok(Collected::Longer(read.freeze(), body));
        }
    }
    Ok(Collected::Whole(read.freeze()))
}

/// The body that was begun to be read.
pub(super) fn rejoin(read: Bytes, rest: Body) -> Body {
    Body::from_stream(stream::iter([Ok(read)]).chain(rest.into_data_stream()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_and_nothing_is_lost() {
        let body = || Body::from_stream(stream::iter(["ab", "cd", "ef"].map(Ok::<_, std::io::Error>)));
        let Collected::Whole(all) = collect(body(), 6).await.unwrap() else {
            panic!("it fits")
        };
        assert_eq!(&all[..], b"abcdef");
        let Collected::Longer(read, rest) = collect(body(), 3).await.unwrap() else {
            panic!("it does not fit")
        };
        assert_eq!(&read[..], b"abcd");
        let whole = rejoin(read, rest).collect().await.unwrap().to_bytes();
        assert_eq!(&whole[..], b"abcdef");
    }
}
