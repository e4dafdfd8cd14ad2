//! The families of providers, and how a provider's id or origin leads to one.

use super::families::{clouds, gateways, generic, hosts, labs, oauth};
use super::family_rules::FamilyRules;

/// Providers whose failures are worded alike, so that one set of rules reads them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// OpenAI's API with keys, and others that copy it.
    OpenAi,
    /// ChatGPT subscriptions: the backend of Codex.
    Codex,
    /// Azure OpenAI.
    AzureOpenAi,
    /// Anthropic's API with keys.
    Anthropic,
    /// Claude subscriptions: Anthropic's API with OAuth tokens.
    ClaudeSubscription,
    /// Google's Gemini API.
    Gemini,
    /// Google's Vertex AI.
    Vertex,
    /// Google's Gemini Code Assist.
    CodeAssist,
    /// GitHub Copilot.
    Copilot,
    /// OpenRouter.
    OpenRouter,
    /// Groq.
    Groq,
    /// Mistral.
    Mistral,
    /// xAI.
    XAi,
    /// DeepSeek.
    DeepSeek,
    /// Together AI.
    Together,
    /// Fireworks AI.
    Fireworks,
    /// Cohere.
    Cohere,
    /// AWS Bedrock.
    Bedrock,
    /// AWS Kiro, formerly Amazon Q.
    Kiro,
    /// Qwen on Alibaba's Model Studio (DashScope).
    DashScope,
    /// Kimi and Moonshot.
    Kimi,
    /// z.ai and its GLM models.
    Zai,
    /// Ollama's cloud.
    Ollama,
    /// The token, device and revocation endpoints of an OAuth server (RFC 6749, RFC 8628).
    OAuthServer,
    /// Any other provider: only the codes that all share, header fields and the status are read.
    #[default]
    Generic,
}

/// Ids of providers, in small letters; other spellings are normalized to them.
const IDS: &[(&str, Family)] = &[
    ("openai", Family::OpenAi),
    ("openai-codex", Family::Codex),
    ("codex", Family::Codex),
    ("chatgpt", Family::Codex),
    ("azure", Family::AzureOpenAi),
    ("azure-openai", Family::AzureOpenAi),
    ("azure-cognitive-services", Family::AzureOpenAi),
    ("anthropic", Family::Anthropic),
    ("anthropic-oauth", Family::ClaudeSubscription),
    ("claude", Family::ClaudeSubscription),
    ("claude-code", Family::ClaudeSubscription),
    ("gemini", Family::Gemini),
    ("google", Family::Gemini),
    ("vertex", Family::Vertex),
    ("vertex-ai", Family::Vertex),
    ("google-vertex", Family::Vertex),
    ("google-vertex-anthropic", Family::Vertex),
    ("gemini-cli", Family::CodeAssist),
    ("gemini-code-assist", Family::CodeAssist),
    ("code-assist", Family::CodeAssist),
    ("antigravity", Family::CodeAssist),
    ("copilot", Family::Copilot),
    ("github-copilot", Family::Copilot),
    ("github-copilot-enterprise", Family::Copilot),
    ("openrouter", Family::OpenRouter),
    ("groq", Family::Groq),
    ("mistral", Family::Mistral),
    ("xai", Family::XAi),
    ("x-ai", Family::XAi),
    ("grok", Family::XAi),
    ("deepseek", Family::DeepSeek),
    ("together", Family::Together),
    ("togetherai", Family::Together),
    ("together-ai", Family::Together),
    ("fireworks", Family::Fireworks),
    ("fireworks-ai", Family::Fireworks),
    ("cohere", Family::Cohere),
    ("bedrock", Family::Bedrock),
    ("amazon-bedrock", Family::Bedrock),
    ("aws-bedrock", Family::Bedrock),
    ("kiro", Family::Kiro),
    ("amazon-q", Family::Kiro),
    ("qwen", Family::DashScope),
    ("qwen-code", Family::DashScope),
    ("dashscope", Family::DashScope),
    ("alibaba", Family::DashScope),
    ("alibaba-cn", Family::DashScope),
    ("kimi", Family::Kimi),
    ("kimi-code", Family::Kimi),
    ("kimi-for-coding", Family::Kimi),
    ("moonshot", Family::Kimi),
    ("moonshotai", Family::Kimi),
    ("moonshotai-cn", Family::Kimi),
    ("zai", Family::Zai),
    ("z-ai", Family::Zai),
    ("zai-coding-plan", Family::Zai),
    ("zhipuai", Family::Zai),
    ("zhipuai-coding-plan", Family::Zai),
    ("glm", Family::Zai),
    ("ollama", Family::Ollama),
    ("ollama-cloud", Family::Ollama),
    ("google-oauth", Family::OAuthServer),
    ("oauth", Family::OAuthServer),
];

/// Hosts of providers; `*` stands for any part of a name.
const HOSTS: &[(&str, Family)] = &[
    ("api.openai.com", Family::OpenAi),
    ("chatgpt.com", Family::Codex),
    ("*.openai.azure.com", Family::AzureOpenAi),
    ("*.cognitiveservices.azure.com", Family::AzureOpenAi),
    ("*.services.ai.azure.com", Family::AzureOpenAi),
    ("api.anthropic.com", Family::Anthropic),
    ("generativelanguage.googleapis.com", Family::Gemini),
    ("aiplatform.googleapis.com", Family::Vertex),
    ("*-aiplatform.googleapis.com", Family::Vertex),
    ("cloudcode-pa.googleapis.com", Family::CodeAssist),
    ("api.githubcopilot.com", Family::Copilot),
    ("*.githubcopilot.com", Family::Copilot),
    ("openrouter.ai", Family::OpenRouter),
    ("api.groq.com", Family::Groq),
    ("api.mistral.ai", Family::Mistral),
    ("api.x.ai", Family::XAi),
    ("api.deepseek.com", Family::DeepSeek),
    ("api.together.xyz", Family::Together),
    ("api.together.ai", Family::Together),
    ("api.fireworks.ai", Family::Fireworks),
    ("api.cohere.com", Family::Cohere),
    ("api.cohere.ai", Family::Cohere),
    ("bedrock*.amazonaws.com", Family::Bedrock),
    ("q.*.amazonaws.com", Family::Kiro),
    ("codewhisperer.*.amazonaws.com", Family::Kiro),
    ("dashscope.aliyuncs.com", Family::DashScope),
    ("dashscope-intl.aliyuncs.com", Family::DashScope),
    ("api.moonshot.ai", Family::Kimi),
    ("api.moonshot.cn", Family::Kimi),
    ("api.kimi.com", Family::Kimi),
    ("api.z.ai", Family::Zai),
    ("open.bigmodel.cn", Family::Zai),
    ("ollama.com", Family::Ollama),
];

impl Family {
    /// The family of a provider's id, such as `openai` or `github-copilot`.
    #[must_use]
    pub fn of_provider(id: &str) -> Option<Self> {
        let id = id.trim().to_ascii_lowercase().replace([' ', '_', '.'], "-");
        IDS.iter().find(|(known, _)| *known == id).map(|(_, family)| *family)
    }

    /// The family that answers at an origin, such as `https://api.openai.com`.
    #[must_use]
    pub fn of_origin(origin: &str) -> Option<Self> {
        let uri: http::Uri = origin.trim().parse().ok()?;
        let host = uri.host()?.to_ascii_lowercase();
        let here = |known: &str| match known.split_once('*') {
            Some((start, end)) => host.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
            None => host == known,
        };
        HOSTS.iter().find(|(known, _)| here(known)).map(|(_, family)| *family)
    }

    pub(super) fn rules(self) -> &'static FamilyRules {
        match self {
            Self::OpenAi => &labs::openai::OPENAI,
            Self::Codex => &labs::openai::CODEX,
            Self::AzureOpenAi => &clouds::azure::RULES,
            // Both are the same service; header fields show what subscriptions add.
            Self::Anthropic | Self::ClaudeSubscription => &labs::anthropic::RULES,
            Self::Gemini => &clouds::google::GEMINI,
            Self::Vertex => &clouds::google::VERTEX,
            Self::CodeAssist => &clouds::google::CODE_ASSIST,
            Self::Copilot => &gateways::copilot::RULES,
            Self::OpenRouter => &gateways::openrouter::RULES,
            Self::Groq => &hosts::groq::RULES,
            Self::Mistral => &labs::mistral::RULES,
            Self::XAi => &labs::xai::RULES,
            Self::DeepSeek => &labs::deepseek::RULES,
            Self::Together => &hosts::together::RULES,
            Self::Fireworks => &hosts::fireworks::RULES,
            Self::Cohere => &labs::cohere::RULES,
            Self::Bedrock => &clouds::aws::BEDROCK,
            Self::Kiro => &clouds::aws::KIRO,
            Self::DashScope => &clouds::dashscope::RULES,
            Self::Kimi => &labs::kimi::RULES,
            Self::Zai => &labs::zai::RULES,
            Self::Ollama => &hosts::ollama::RULES,
            Self::OAuthServer => &oauth::RULES,
            Self::Generic => &generic::RULES,
        }
    }
}
