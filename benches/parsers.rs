//! Instruction counts of the rules for failed answers: linear in any body. Over the limit the run fails.
//!
//! ```text
//! cargo install --locked gungraun-runner --version 0.20.0
//! cargo bench --bench parsers
//! ```

#![allow(missing_docs, unreachable_pub, reason = "what gungraun's macros make is public")]

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use http::{HeaderMap, StatusCode};
use oauth_marathon::providers::failures::{Family, ProviderRules};
use oauth_marathon::verdict::{Answer, Classifier};

/// The most that is read of a body.
const BYTES: usize = 128 * 1024;

/// For each byte, and for an answer of a usual size.
const PER_BYTE: u64 = 60;
const USUAL: u64 = 60_000;

fn at_most(limit: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// A failed answer that arrived at `now`.
struct Sample {
    headers: HeaderMap,
    body: String,
    now: SystemTime,
}

impl Sample {
    fn judge(&self, family: Family) {
        let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, &self.headers, self.now);
        black_box(ProviderRules::new(family).answer(&answer.with_body(self.body.as_bytes(), true)));
    }
}

fn sample(body: impl Into<String>) -> Sample {
    let now = UNIX_EPOCH + Duration::from_secs(1_795_336_380);
    Sample { headers: HeaderMap::new(), body: body.into(), now }
}

fn usual() -> Sample {
    sample(
        r#"{"error":{"message":"Rate limit reached for m in organization o on tokens per min (TPM): Limit 9. Please try again in 11.054s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
    )
}

/// `part` over and over between `before` and `after`.
fn long(before: &str, part: &str, after: &str) -> Sample {
    let times = (BYTES - before.len() - after.len()) / part.len();
    sample(format!("{before}{}{after}", part.repeat(times)))
}

#[library_benchmark]
#[bench::openai(args = (Family::OpenAi, usual()), config = at_most(USUAL))]
#[bench::google(args = (Family::CodeAssist, usual()), config = at_most(USUAL))]
#[bench::unknown(args = (Family::Generic, usual()), config = at_most(USUAL))]
fn usual_answer(family: Family, sample: Sample) -> Sample {
    sample.judge(family);
    sample
}

#[library_benchmark(config = at_most(PER_BYTE * BYTES as u64))]
#[bench::message(Family::OpenAi, long(r#"{"error":{"message":""#, "Try again in 5 apples. ", r#""}}"#))]
#[bench::elements(Family::OpenAi, long(r#"{"error":["#, "1,", "1]}"))]
#[bench::unknown_members(Family::OpenAi, long(r#"{"error":{"#, r#""a":1,"#, r#""b":1}}"#))]
#[bench::known_members(Family::OpenAi, long(r#"{"error":{"#, r#""code":1,"type":2,"reason":3,"#, r#""b":1}}"#))]
#[bench::repeated_members(Family::OpenAi, long(r#"{"error":{"#, r#""msg":"\u00e9","#, r#""b":1}}"#))]
#[bench::objects(
    Family::CodeAssist,
    long(r#"{"error":{"details":["#, r#"{"reason":"R","metadata":{"raw":1}},"#, "1]}}")
)]
#[bench::nested(Family::OpenAi, long("", r#"{"error":"#, ""))]
#[bench::escapes(Family::OpenAi, long(r#"{"error":{"message":""#, r"\u00e9\n", r#""}}"#))]
#[bench::fields(
    Family::OpenRouter,
    long(r#"{"error":{"metadata":{"headers":{"#, r#""x-ratelimit-a":"1","#, r#""b":"1"}}}}"#)
)]
#[bench::html(Family::OpenAi, long("<html>", "quota ", "</html>"))]
#[bench::text(Family::Copilot, long("", "try again in 1", "s"))]
fn long_answer(family: Family, sample: Sample) -> Sample {
    sample.judge(family);
    sample
}

library_benchmark_group!(name = failed_answers, benchmarks = [usual_answer, long_answer]);
main!(library_benchmark_groups = [failed_answers]);
