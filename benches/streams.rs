//! What a stream costs for each of its frames, before its first content and after, and for each byte. See `instructions.rs`.

#![allow(missing_docs, unreachable_pub, reason = "what gungraun's macros make is public")]

#[path = "support/chunks.rs"]
mod chunks;

use std::hint::black_box;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

use self::chunks::{Held, Running};

const CREATED: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_0a1b2c3d4e5f","object":"response","created_at":1755041560,"status":"in_progress","background":false,"error":null,"incomplete_details":null,"instructions":"You are a helpful assistant that answers in short sentences and never in long ones, whatever it is asked.","max_output_tokens":null,"model":"gpt-5.1","output":[],"parallel_tool_calls":true,"tools":[],"usage":null,"user":null,"metadata":{}}}

"#;
const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
const BLOCK: &str = r#"event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

"#;
const ROLE: &str = r#"data: {"id":"chatcmpl-0a1b2c3d4e5f","object":"chat.completion.chunk","created":1755041560,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}

"#;
const UNNAMED: &str = r#"data: {"sequence_number":0,"type":"response.in_progress","response":{"id":"resp_0a1b2c3d4e5f","error":null}}

"#;
const TEXT: &str = r#"event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_0a1b2c3d4e5f","output_index":0,"content_index":0,"delta":" in short sentences","logprobs":[],"obfuscation":"x7Ik2"}

"#;
const DELTA: &str = r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" in short sentences"}}

"#;
const CHUNK: &str = r#"data: {"id":"chatcmpl-0a1b2c3d4e5f","object":"chat.completion.chunk","created":1755041560,"model":"gpt-5.1-2025-11-13","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" in short sentences"},"logprobs":null,"finish_reason":null}],"obfuscation":"x7Ik2"}

"#;
const PARTS: &str = r#"data: {"candidates": [{"content": {"parts": [{"text": " in short sentences, and never in long ones"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 8,"candidatesTokenCount": 5,"totalTokenCount": 13,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 8}]},"modelVersion": "gemini-3.1-pro","responseId": "0a1b2c3d4e5f"}

"#;
const LINE: &str = "{\"model\":\"m\",\"created_at\":\"2026-08-04T19:22:45Z\",\"message\":{\"role\":\"assistant\",\"content\":\" in\"},\"done\":false}\n";

const SSE: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";
const ARRAY: &str = "application/json";

/// A count over the limit is an error.
fn at_most(limit: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

// Fifty frames that say nothing, and one that does; the head and all else that is done once count as well.
#[library_benchmark(config = at_most(50 * 2_000))]
#[bench::created(Held::new(CREATED, TEXT))]
#[bench::without_a_name(Held::new(UNNAMED, TEXT))]
#[bench::ping(Held::new(PING, DELTA))]
#[bench::block(Held::new(BLOCK, DELTA))]
// It has to be read to its last member, and no name tells what it is.
#[bench::role(Held::new(ROLE, CHUNK))]
fn fifty_frames_before(mut held: Held) -> Held {
    held.begin();
    held
}

#[library_benchmark(config = at_most(100 * 500))]
#[bench::responses(Running::new(SSE, TEXT, 100))]
#[bench::messages(Running::new(SSE, DELTA, 100))]
#[bench::chat(Running::new(SSE, CHUNK, 100))]
#[bench::gemini(Running::new(SSE, PARTS, 100))]
#[bench::ollama(Running::new(NDJSON, LINE, 100))]
fn a_hundred_frames_after(mut running: Running) -> Running {
    running.read();
    running
}

// What reading takes without a scanner.
#[library_benchmark]
#[bench::plain(Running::new("text/plain", CHUNK, 100))]
fn a_hundred_frames_unread(mut running: Running) -> Running {
    running.read();
    running
}

fn long(before: &str, after: &str) -> String {
    format!("{before}{}{after}", "x".repeat(60_000))
}

// A chunk of about sixty thousand bytes, in shapes that are hard on a scanner.
#[library_benchmark(config = at_most(60_000 * 60))]
#[bench::one_line(Running::new(SSE, &long("data: \"", "\"\n\n"), 1))]
#[bench::one_line_of_lines(Running::new(NDJSON, &long("\"", "\"\n"), 1))]
#[bench::one_element(Running::new(ARRAY, &long("{\"x\":\"", "\"},"), 1))]
#[bench::empty_lines(Running::new(SSE, &"\n".repeat(60_000), 1))]
#[bench::carriage_returns(Running::new(SSE, &"\r".repeat(60_000), 1))]
#[bench::comments(Running::new(SSE, &":\n".repeat(30_000), 1))]
#[bench::empty_data(Running::new(SSE, &"data\n".repeat(12_000), 1))]
// Each line is a part of a value of its own.
#[bench::letters(Running::new(SSE, &format!("{{{}", "e\r".repeat(30_000)), 1))]
#[bench::empty_lines_of_json(Running::new(SSE, &format!("{{{}", "\r".repeat(60_000)), 1))]
#[bench::empty_lines_of_lines(Running::new(NDJSON, &"\n".repeat(60_000), 1))]
#[bench::brackets(Running::new(SSE, &"[\n".repeat(30_000), 1))]
#[bench::nothing_but_words(Running::new(SSE, &format!("data: {{{}\n\n", "\"error\":null,".repeat(4_600)), 1))]
fn sixty_thousand_bytes(mut running: Running) -> Running {
    running.read();
    black_box(running)
}

// Ten thousand frames that are as short as they can be: what counts is the frame, not its bytes.
#[library_benchmark(config = at_most(10_000 * 500))]
#[bench::empty_events(Running::new(SSE, &"data\n\n".repeat(10_000), 1))]
#[bench::empty_elements(Running::new(ARRAY, &"{},".repeat(10_000), 1))]
#[bench::short_lines(Running::new(NDJSON, &"1\n".repeat(10_000), 1))]
fn ten_thousand_frames(mut running: Running) -> Running {
    running.read();
    black_box(running)
}

library_benchmark_group!(
    name = frames,
    benchmarks = [fifty_frames_before, a_hundred_frames_after, a_hundred_frames_unread]
);
library_benchmark_group!(name = bytes, benchmarks = [sixty_thousand_bytes, ten_thousand_frames]);
main!(library_benchmark_groups = [frames, bytes]);
