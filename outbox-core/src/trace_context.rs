use crate::headers::Headers;

/// W3C trace context (<https://www.w3.org/TR/trace-context/>) as text: this crate carries it and knows
/// no tracing system.
///
/// The producer's `create` span is stored with the message; the relay and the consumer link to it and
/// never overwrite it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

impl TraceContext {
    /// Takes a `traceparent` of the form `00-<32 hex>-<16 hex>-<2 hex>` and perhaps a `tracestate`.
    ///
    /// Returns `None` for anything else: the specification says to go on without a trace.
    pub fn new(traceparent: impl Into<String>, tracestate: Option<String>) -> Option<Self> {
        let traceparent = traceparent.into();
        let parts: Vec<&str> = traceparent.split('-').collect();
        let hex = |part: &str, len: usize| {
            part.len() == len
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let ok = parts.len() >= 4
            && hex(parts[0], 2)
            && parts[0] != "ff"
            && (parts[0] != "00" || parts.len() == 4)
            && hex(parts[1], 32)
            && parts[1].bytes().any(|b| b != b'0')
            && hex(parts[2], 16)
            && parts[2].bytes().any(|b| b != b'0')
            && hex(parts[3], 2);
        ok.then_some(Self {
            traceparent,
            tracestate,
        })
    }

    /// The `traceparent` header's value.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The `tracestate` header's value.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// Reads it from a message's headers.
    pub fn from_headers(headers: &Headers) -> Option<Self> {
        let state = headers.get(Headers::TRACESTATE).map(str::to_owned);
        Self::new(headers.get(Headers::TRACEPARENT)?, state)
    }

    /// Writes it into a message's headers.
    pub fn write_to(&self, headers: &mut Headers) {
        headers.insert(Headers::TRACEPARENT, self.traceparent.clone());
        if let Some(state) = &self.tracestate {
            headers.insert(Headers::TRACESTATE, state.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_specification_takes() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceContext::new(good, None).unwrap().traceparent(), good);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::new(bad, None), None, "{bad}");
        }
    }
}
