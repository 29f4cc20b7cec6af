//! Contents that a producer has compressed: RocketMQ's own does so above 4 KiB. Ours compresses nothing. Pure.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::ZlibDecoder;

/// How, as a message's flag says it (`MessageSysFlag` and `CompressionType` of RocketMQ's sources).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// What producers do unless they are told otherwise.
    Zlib,
    Lz4,
    Zstd,
    Unknown(i32),
}

/// Why a content can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error(
        "its content is compressed with {0}, which is not read here: its producer must compress with zlib, or not at all"
    )]
    Method(&'static str),
    #[error("its content is compressed and has more than {most} bytes")]
    TooLong { most: usize },
    #[error("its content is not what zlib compresses to: {0}")]
    Broken(String),
}

const COMPRESSED: i32 = 1;

impl Compression {
    pub(super) fn of(flags: i32) -> Self {
        match (flags & COMPRESSED, (flags >> 8) & 7) {
            (0, _) => Self::None,
            // Producers before 5 did not say which.
            (_, 0 | 3) => Self::Zlib,
            (_, 1) => Self::Lz4,
            (_, 2) => Self::Zstd,
            (_, other) => Self::Unknown(other),
        }
    }

    /// The content as it was before. One that has more than `most` bytes is not read to its end.
    pub(super) fn undo(self, content: &Bytes, most: usize) -> Result<Bytes, Unread> {
        match self {
            Self::None => Ok(content.clone()),
            Self::Zlib => {
                let mut read = Vec::new();
                let limit = most.saturating_add(1);
                let mut decoder =
                    ZlibDecoder::new(&content[..]).take(u64::try_from(limit).unwrap_or(u64::MAX));
                match decoder.read_to_end(&mut read) {
                    Err(error) => Err(Unread::Broken(error.to_string())),
                    Ok(bytes) if bytes > most => Err(Unread::TooLong { most }),
                    Ok(_) => Ok(read.into()),
                }
            }
            Self::Lz4 => Err(Unread::Method("LZ4")),
            Self::Zstd => Err(Unread::Method("Zstandard")),
            Self::Unknown(_) => Err(Unread::Method("something that is not known here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn zlib(content: &[u8]) -> Bytes {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn what_a_flag_says() {
        use Compression as C;
        for (flags, compression) in [
            (0, C::None),
            (3 << 8, C::None),
            (1, C::Zlib),
            (1 | 3 << 8, C::Zlib),
            (1 | 1 << 8 | 4, C::Lz4),
            (1 | 2 << 8, C::Zstd),
            (1 | 7 << 8, C::Unknown(7)),
        ] {
            assert_eq!(C::of(flags), compression, "{flags}");
        }
    }

    #[test]
    fn a_content_is_read_up_to_its_limit() {
        let content = vec![7; 100_000];
        let compressed = zlib(&content);
        assert!(compressed.len() < 1_000);
        assert_eq!(Compression::Zlib.undo(&compressed, 100_000).unwrap(), content);
        assert_eq!(
            Compression::Zlib.undo(&compressed, 99_999),
            Err(Unread::TooLong { most: 99_999 })
        );
        assert!(matches!(
            Compression::Zlib.undo(&compressed.slice(..50), 100_000),
            Err(Unread::Broken(_))
        ));
        assert!(matches!(
            Compression::Zlib.undo(&Bytes::from_static(b"plain"), 100_000),
            Err(Unread::Broken(_))
        ));
    }
}
