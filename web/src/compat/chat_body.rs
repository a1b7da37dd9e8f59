//! What a chat completion may be asked for: every field of OpenAI's that could change the text is honoured, or refused
//! by its name.

use qwen3::{Message, Role, SamplingWishes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::unsupported;
use crate::error::Error;
use crate::shapes;

/// Strings that may end a text.
const STOPS: usize = 16;
/// Characters of each.
const STOP_CHARS: usize = 200;

/// A chat to be gone on with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatBody {
    /// The messages so far. If the last one is the assistant's, the text goes on from it.
    #[schema(min_items = 1)]
    messages: Vec<ChatMessage>,
    /// Given back as it is; the server has one writer.
    model: Option<String>,
    /// Whether the text is sent as it is written, as server-sent events.
    stream: Option<bool>,
    /// What a stream says beside the text.
    stream_options: Option<StreamOptions>,
    /// Most tokens to write; what there is room for by default.
    #[schema(minimum = 1)]
    max_tokens: Option<usize>,
    /// Another name of `max_tokens`.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<usize>,
    /// 0 takes the likeliest token; the model's own by default, as for the next four.
    #[schema(minimum = 0, maximum = 100)]
    temperature: Option<f32>,
    /// Only the likeliest tokens that together reach this probability.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Only so many of the likeliest tokens; 0 for all.
    top_k: Option<usize>,
    /// Only tokens of at least this share of the likeliest one's probability.
    #[schema(minimum = 0, maximum = 1)]
    min_p: Option<f32>,
    /// Above 1, tokens that are there already become less likely.
    #[schema(minimum = 0.01, maximum = 100)]
    repetition_penalty: Option<f32>,
    /// The same seed and chat give the same text.
    seed: Option<i64>,
    /// A string that ends the text, or several.
    stop: Option<Stops>,
    /// One text, as ever: refused unless 1.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<usize>,
    /// What the model's chat template is told: `enable_thinking`.
    chat_template_kwargs: Option<TemplateWishes>,
    /// Accepted, and of no effect: whom a request is counted for follows from its key.
    #[expect(dead_code, reason = "it cannot change the text")]
    user: Option<String>,
    /// Accepted, and of no effect: nothing is kept.
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "it cannot change the text")]
    metadata: Option<IgnoredAny>,
    /// Accepted if false: nothing is kept.
    store: Option<bool>,
    /// Refused unless it is null or 0: see `repetition_penalty`.
    #[schema(schema_with = shapes::zero)]
    presence_penalty: Option<f32>,
    /// Refused unless it is null or 0: see `repetition_penalty`.
    #[schema(schema_with = shapes::zero)]
    frequency_penalty: Option<f32>,
    /// Refused unless it is null or false.
    #[schema(schema_with = shapes::no)]
    logprobs: Option<bool>,
    /// Refused unless it is null.
    #[schema(schema_with = shapes::nothing)]
    top_logprobs: Option<IgnoredAny>,
    /// Refused unless it is null.
    #[schema(schema_with = shapes::nothing)]
    logit_bias: Option<IgnoredAny>,
    /// Refused unless it is null or empty: the writer has no tools.
    #[schema(schema_with = shapes::none_of_them)]
    tools: Option<Vec<IgnoredAny>>,
    /// Refused unless it is null, `none` or `auto`: the writer has no tools.
    #[schema(value_type = Option<String>)]
    tool_choice: Option<Value>,
    /// Refused unless it is null or of type `text`.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Map<String, Value>>,
}

/// A message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatMessage {
    /// `system` (or `developer`), `user` or `assistant`.
    role: String,
    /// The text, or parts of type `text`.
    content: Option<ChatContent>,
    /// Refused unless it is null: the model knows roles only.
    #[schema(schema_with = shapes::nothing)]
    name: Option<String>,
    /// Accepted if null.
    #[schema(schema_with = shapes::nothing)]
    refusal: Option<IgnoredAny>,
    /// Refused unless it is null or empty: the writer has no tools.
    #[schema(schema_with = shapes::none_of_them)]
    tool_calls: Option<Vec<IgnoredAny>>,
}

/// A text, whole or in parts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ChatContent {
    Text(String),
    Parts(Vec<TextPart>),
}

/// A part of a text.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TextPart {
    /// `text`: there is nothing else that the model reads.
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

/// What a stream says beside the text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamOptions {
    /// Whether the last event but `[DONE]` says what the text cost.
    include_usage: Option<bool>,
}

/// What ends a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Stops {
    One(String),
    Many(Vec<String>),
}

/// What the model's chat template is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateWishes {
    /// Whether the model thinks first; thoughts are not part of the text.
    enable_thinking: Option<bool>,
}

/// What is wished for, checked.
pub(super) struct Wish {
    pub(super) messages: Vec<Message>,
    pub(super) model: Option<String>,
    pub(super) streamed: bool,
    pub(super) told_usage: bool,
    pub(super) max_tokens: Option<usize>,
    pub(super) sampling: SamplingWishes,
    pub(super) seed: Option<u64>,
    pub(super) stop: Vec<String>,
    pub(super) thinking: bool,
}

impl ChatBody {
    /// The wish, without what cannot be fulfilled.
    ///
    /// # Errors
    /// [`Error::BadRequest`] with the name of the field.
    pub(super) fn checked(self) -> Result<Wish, Error> {
        self.refuse()?;
        let max_tokens = self.max_completion_tokens.or(self.max_tokens);
        let stop = match self.stop {
            None => Vec::new(),
            Some(Stops::One(stop)) => vec![stop],
            Some(Stops::Many(stops)) => stops,
        };
        if stop.len() > STOPS || stop.iter().any(|stop| stop.is_empty() || stop.chars().count() > STOP_CHARS) {
            return Err(Error::bad(format!("stop: expected at most {STOPS} strings of 1 to {STOP_CHARS} characters")));
        }
        let messages = self.messages.into_iter().enumerate().map(|(index, message)| message.checked(index));
        Ok(Wish {
            messages: messages.collect::<Result<_, _>>()?,
            model: self.model,
            streamed: self.stream.unwrap_or(false),
            told_usage: self.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
            max_tokens: super::at_least_one("max_tokens", max_tokens)?,
            sampling: SamplingWishes {
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
                min_p: self.min_p,
                repetition_penalty: self.repetition_penalty,
            },
            // Any number is as good as another.
            seed: self.seed.map(i64::cast_unsigned),
            stop,
            thinking: self.chat_template_kwargs.and_then(|wishes| wishes.enable_thinking).unwrap_or(false),
        })
    }

    fn refuse(&self) -> Result<(), Error> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(Error::bad("n: expected 1, for one text a request"));
        }
        let is_wanted = |wanted: bool| wanted.then_some(());
        let is_not_zero = |penalty: Option<f32>| is_wanted(penalty.is_some_and(|penalty| penalty != 0.0));
        unsupported("presence_penalty", &is_not_zero(self.presence_penalty), "use repetition_penalty")?;
        unsupported("frequency_penalty", &is_not_zero(self.frequency_penalty), "use repetition_penalty")?;
        unsupported("store", &is_wanted(self.store == Some(true)), "keep the text yourself")?;
        unsupported("logprobs", &is_wanted(self.logprobs == Some(true)), "do without probabilities")?;
        unsupported("top_logprobs", &self.top_logprobs, "do without probabilities")?;
        unsupported("logit_bias", &self.logit_bias, "say in the messages what is wanted")?;
        let tools = "say in the messages what is wanted: the writer has no tools";
        unsupported("tools", &is_wanted(self.tools.as_ref().is_some_and(|tools| !tools.is_empty())), tools)?;
        let is_free = |choice: &Value| matches!(choice.as_str(), Some("none" | "auto"));
        unsupported("tool_choice", &self.tool_choice.as_ref().filter(|choice| !is_free(choice)), tools)?;
        let is_text = |format: &Map<String, Value>| format.get("type").and_then(Value::as_str) == Some("text");
        let format = self.response_format.as_ref().filter(|format| !is_text(format));
        unsupported("response_format", &format, "say in the messages which form is wanted")
    }
}

impl ChatMessage {
    fn checked(self, index: usize) -> Result<Message, Error> {
        let place = |field: &str| format!("messages[{index}].{field}");
        let role = match self.role.as_str() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => {
                let place = place("role");
                return Err(Error::bad(format!(
                    "{place}: expected system, developer, user or assistant, got {other:?}"
                )));
            }
        };
        unsupported(&place("name"), &self.name, "say in the text who speaks")?;
        unsupported(&place("refusal"), &self.refusal, "say in the text what was refused")?;
        let calls = self.tool_calls.filter(|calls| !calls.is_empty());
        unsupported(&place("tool_calls"), &calls, "say in the text what was called")?;
        let content = match self.content {
            Some(ChatContent::Text(text)) => text,
            Some(ChatContent::Parts(parts)) => {
                let text = |part: TextPart| match (part.kind.as_str(), part.text) {
                    ("text", Some(text)) => Ok(text),
                    (kind, _) => {
                        Err(Error::bad(format!("{}: expected parts of type text, got {kind:?}", place("content"))))
                    }
                };
                parts.into_iter().map(text).collect::<Result<String, _>>()?
            }
            None => return Err(Error::bad(format!("{}: expected a text", place("content")))),
        };
        Ok(Message { role, content })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(more: Value) -> Result<Wish, String> {
        let mut body = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body: ChatBody = serde_json::from_value(body).map_err(|error| error.to_string())?;
        body.checked().map_err(|error| error.to_string())
    }

    fn refused(more: Value) -> String {
        checked(more).err().unwrap()
    }

    #[test]
    fn what_is_wished_for_is_honoured() {
        let wish = checked(json!({
            "messages": [
                { "role": "developer", "content": "Be brief." },
                { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "assistant", "content": "c", "refusal": null, "tool_calls": [] }
            ],
            "model": "m", "stream": true, "stream_options": { "include_usage": true }, "max_completion_tokens": 7,
            "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1,
            "seed": -1, "stop": ["x", "y"], "n": 1, "user": "u", "presence_penalty": 0, "tools": [],
            "chat_template_kwargs": { "enable_thinking": true }, "response_format": { "type": "text" },
            "tool_choice": "auto", "store": false, "logprobs": false
        }));
        let wish = wish.unwrap();
        let messages = [Message::system("Be brief."), Message::user("ab"), Message::assistant("c")];
        assert_eq!((wish.messages.as_slice(), wish.model.as_deref()), (&messages[..], Some("m")));
        assert!(wish.streamed && wish.told_usage && wish.thinking);
        assert_eq!((wish.max_tokens, wish.seed, wish.stop.len()), (Some(7), Some(u64::MAX), 2));
        assert_eq!(wish.sampling.min_p, Some(0.1));
        let plain = checked(json!({ "stop": "x", "max_tokens": 3 })).unwrap();
        assert!(!plain.streamed && !plain.thinking && plain.stop == ["x"] && plain.max_tokens == Some(3));
    }

    #[test]
    fn what_cannot_be_fulfilled_is_refused_by_name() {
        for (name, value) in [
            ("n", json!(2)),
            ("presence_penalty", json!(0.5)),
            ("frequency_penalty", json!(-1)),
            ("logprobs", json!(true)),
            ("top_logprobs", json!(2)),
            ("logit_bias", json!({ "5": 1 })),
            ("tools", json!([{ "type": "function" }])),
            ("tool_choice", json!("required")),
            ("response_format", json!({ "type": "json_object" })),
            ("store", json!(true)),
            ("stop", json!([""])),
            ("max_tokens", json!(0)),
            ("temprature", json!(1)),
        ] {
            assert!(refused(json!({ name: value })).contains(name), "{name}");
        }
        let message = |message: Value| refused(json!({ "messages": [{ "role": "user", "content": "a" }, message] }));
        assert!(message(json!({ "role": "tool", "content": "a" })).contains("messages[1].role"));
        assert!(message(json!({ "role": "user" })).contains("messages[1].content"));
        assert!(message(json!({ "role": "user", "content": "a", "name": "b" })).contains("messages[1].name"));
        let image = json!({ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "x" } }] });
        assert!(message(image).contains("image_url"));
    }
}
