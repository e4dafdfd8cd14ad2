//! What the event of a stream means by its name alone, in each dialect.

/// What the name of an event, or the `type` in its data, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A keep-alive, or news beside the answer; no part of the answer.
    Alive,
    /// What is left of the account's limits. It does not say whether an answer follows.
    Limits,
    /// The answer has been accepted or begun; still no part of it.
    Lifecycle,
    /// A part of the answer begins. The event's data say whether it already carries content.
    Opening,
    Error,
    Content,
    End,
}

/// What the name of an event means. `None` for a name that says nothing by itself.
///
/// | dialect | lifecycle | opens a part | error | end |
/// |---|---|---|---|---|
/// | OpenAI Responses | `response.created`, `.in_progress`, `.queued` | `response.output_item.added`, `.content_part.added`, `.reasoning_summary_part.added` | `error`, `response.failed` | `response.completed`, `.incomplete`, `.cancelled`, `.done` |
/// | Anthropic Messages | `message_start` | `content_block_start` | `error` | `message_stop` |
/// | Cohere | `message-start`, `stream-start` | `content-start` | `error` | `message-end`, `stream-end` |
/// | Gemini Interactions | `interaction.start`, `.created`, `.status_update` | `content.start` | `error` | `interaction.complete`, `.completed` |
///
/// `ping` and other keep-alives belong to no dialect. Other names that begin with `response.` are content, and so are
/// the other events of a Messages stream. `codex.rate_limits` belongs to a ChatGPT subscription.
#[inline]
pub(crate) fn named(name: &[u8]) -> Option<Named> {
    if let Some(event) = name.strip_prefix(b"response.") {
        return Some(match event {
            b"created" | b"in_progress" | b"queued" => Named::Lifecycle,
            b"output_item.added" | b"content_part.added" | b"reasoning_summary_part.added" => Named::Opening,
            b"failed" | b"error" => Named::Error,
            b"completed" | b"incomplete" | b"cancelled" | b"done" => Named::End,
            _ => Named::Content,
        });
    }
    Some(match name {
        b"content_block_delta" | b"content_block_stop" | b"message_delta" => Named::Content,
        b"content-delta" | b"content-end" | b"tool-call-start" | b"tool-plan-delta" | b"text-generation" => {
            Named::Content
        }
        b"content.delta" | b"content.stop" => Named::Content,
        b"ping" | b"keepalive" | b"keep-alive" | b"heartbeat" => Named::Alive,
        b"codex.rate_limits" => Named::Limits,
        b"message_start" | b"message-start" | b"stream-start" => Named::Lifecycle,
        b"interaction.start" | b"interaction.created" | b"interaction.status_update" => Named::Lifecycle,
        b"content_block_start" | b"content-start" | b"content.start" => Named::Opening,
        b"message_stop" | b"message-end" | b"stream-end" => Named::End,
        b"interaction.complete" | b"interaction.completed" => Named::End,
        b"error" => Named::Error,
        _ => return None,
    })
}

/// Whether this event shows a dialect whose streams say when they are complete. A stream of it that ends without saying
/// so was cut short.
pub(crate) fn promises_an_end(name: &[u8]) -> bool {
    name.starts_with(b"response.") || matches!(name, b"message_start" | b"message-start" | b"content_block_delta")
}
