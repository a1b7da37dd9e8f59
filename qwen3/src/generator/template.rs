//! The form of a chat, as a model's own template says it. Templates are programs; this crate writes chats by itself,
//! so that what people write never becomes a special token, and runs a template once, when a model is opened: it has to
//! say what this crate says. What it decides is how an answer opens.

use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::chat::{END, Opening, START};

/// Steps that a template may take: a thousand times what Qwen3's needs.
const FUEL: u64 = 1 << 22;

/// How the model's answers open, by its template.
///
/// # Errors
/// What is wrong with the template: that it cannot be run, or has another form than Qwen3's.
pub(super) fn opening(template: &str) -> Result<Opening, String> {
    let answers = "expected Qwen3's form of a chat (ChatML)";
    let without = render(template, false).map_err(|error| format!("{}; {answers}", described(&error)))?;
    let with = render(template, true).map_err(|error| format!("{}; {answers}", described(&error)))?;
    let chat = sample();
    let rest = |rendered: &str| rendered.strip_prefix(chat.as_str()).map(str::to_owned);
    match (rest(&without).as_deref(), rest(&with).as_deref()) {
        (Some(""), Some("")) => Ok(Opening::Bare),
        (Some("<think>\n\n</think>\n\n"), Some("" | "<think>\n")) => Ok(Opening::Thoughtless),
        (Some("<think>\n"), Some("<think>\n")) => Ok(Opening::Thought),
        _ => Err(format!("it gives {without:?}; {answers}: {chat:?} and then an answer or a thought")),
    }
}

/// The chat that templates are tried with, up to where the answer begins.
fn sample() -> String {
    let turns = [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "v")];
    let turn = |(role, text): (&str, &str)| format!("{START}{role}\n{text}{END}\n");
    turns.into_iter().map(turn).collect::<String>() + &format!("{START}assistant\n")
}

/// As transformers renders: blocks take no lines of their own, and Python's methods of strings are there.
fn render(template: &str, enable_thinking: bool) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, reason))
    });
    environment.add_function("strftime_now", |_: String| "");
    let message = |role: &str, content: &str| context! { role, content };
    let messages =
        [message("system", "s"), message("user", "u"), message("assistant", "a"), message("user", "v")].to_vec();
    environment.template_from_str(template)?.render(context! {
        messages, enable_thinking, add_generation_prompt => true, bos_token => "", eos_token => END,
    })
}

/// The whole of an error in one line.
fn described(error: &Error) -> String {
    format!("the template cannot be run: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Qwen3's template does for chats without tools, in the same constructs.
    const HYBRID: &str = r#"{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == "user" and not(message.content.startswith('<tool>')) %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\n') %}
        {{- '<|im_start|>' + message.role + '\n' + content }}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}"#;

    #[test]
    fn forms_of_the_family_are_told_apart() {
        assert_eq!(opening(HYBRID), Ok(Opening::Thoughtless));
        let bare = HYBRID.replace("enable_thinking is false", "false");
        assert_eq!(opening(&bare), Ok(Opening::Bare));
        let thinking = bare.replace("assistant\\n' }}\n    {%- if", "assistant\\n<think>\\n' }}\n    {%- if");
        assert_eq!(opening(&thinking), Ok(Opening::Thought));
    }

    #[test]
    fn other_forms_and_broken_templates_are_refused() {
        let refused = |template: &str| opening(template).unwrap_err();
        let llama = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}<|assistant|>";
        assert!(refused(llama).contains("<|system|>s</s>"), "{}", refused(llama));
        assert!(refused("{% if %}").contains("cannot be run"));
        assert!(refused("{{ raise_exception('no system message') }}").contains("no system message"));
        assert!(refused("{{ messages[0].content.frobnicate() }}").contains("ChatML"));
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}";
        assert!(refused(endless).contains("cannot be run"));
    }

    /// The real one, where somebody has it: `QUARRY_CHAT_TEMPLATE` names a tokenizer_config.json.
    #[test]
    #[ignore = "needs files of Qwen3: QUARRY_CHAT_TEMPLATE=FILE cargo test -p qwen3 a_given_template -- --ignored"]
    fn a_given_template_is_of_the_family() {
        let path = std::env::var_os("QUARRY_CHAT_TEMPLATE").unwrap();
        let config: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(opening(config["chat_template"].as_str().unwrap()), Ok(Opening::Thoughtless));
    }
}
