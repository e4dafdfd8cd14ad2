//! One file for each family: its codes, sentences and statuses, as its documentation and answers show them.
//!
//! These files are tables and nothing else; `judge` alone says in which order they count. A family's folder says who
//! runs it:
//!
//! | folder | who runs it |
//! |---|---|
//! | `labs` | makers of models that serve them under their own name: Anthropic, OpenAI, Mistral |
//! | `clouds` | clouds, with their own codes around those of the models: AWS, Azure, Google, Alibaba |
//! | `hosts` | machines for the models of others: Groq, Together, Ollama |
//! | `gateways` | services that pass requests on to other providers: OpenRouter, GitHub Copilot |
//!
//! Families of one company that share their words share a file. `oauth` is for token endpoints, `generic` for all
//! unknown providers.

pub(super) mod clouds;
pub(super) mod gateways;
pub(super) mod generic;
pub(super) mod hosts;
pub(super) mod labs;
pub(super) mod oauth;
