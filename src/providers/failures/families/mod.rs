//! One file for each family: its codes, sentences and statuses, as its documentation and answers show them. They are
//! tables and nothing else; `judge` alone says in which order they count.

pub(super) mod anthropic;
pub(super) mod aws;
pub(super) mod azure;
pub(super) mod cohere;
pub(super) mod copilot;
pub(super) mod dashscope;
pub(super) mod google;
pub(super) mod groq;
pub(super) mod hosts;
pub(super) mod kimi;
pub(super) mod mistral;
pub(super) mod oauth;
pub(super) mod openai;
pub(super) mod openrouter;
pub(super) mod xai;
pub(super) mod zai;
