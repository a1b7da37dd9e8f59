//! Every word of the page, in every language: one table. A language is complete or it does not compile.

/// A failure: what it is, and what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) title: &'static str,
    pub(super) cure: &'static str,
}

/// The words of one language. `{}` stands for what the page fills in.
#[rustfmt::skip]
pub(super) struct Strings {
    pub(super) search: &'static str, pub(super) placeholder: &'static str, pub(super) tagline: &'static str,
    pub(super) skip: &'static str, pub(super) home: &'static str, pub(super) status: &'static str,
    pub(super) keys: &'static str, pub(super) preferences: &'static str, pub(super) language_switch: &'static str,
    pub(super) theme_auto: &'static str, pub(super) theme_light: &'static str, pub(super) theme_dark: &'static str,
    pub(super) sources: &'static str, pub(super) try_one: &'static str, pub(super) no_sources: &'static str,
    pub(super) fresh: &'static str, pub(super) never_run: &'static str, pub(super) indexing: &'static str,
    pub(super) waiting: &'static str, pub(super) unread_files: &'static str, pub(super) just_now: &'static str,
    pub(super) results_for: &'static str, pub(super) filters: &'static str, pub(super) source: &'static str,
    pub(super) kind: &'static str, pub(super) language: &'static str, pub(super) date: &'static str,
    pub(super) sort: &'static str, pub(super) by_relevance: &'static str, pub(super) newest_first: &'static str, pub(super) oldest_first: &'static str,
    pub(super) date_mail: &'static str, pub(super) date_front_matter: &'static str, pub(super) date_document: &'static str,
    pub(super) date_file: &'static str, pub(super) date_pushed: &'static str,
    pub(super) any: &'static str, pub(super) past_week: &'static str, pub(super) past_month: &'static str,
    pub(super) past_year: &'static str, pub(super) remove_filter: &'static str, pub(super) clear_filters: &'static str,
    pub(super) found_in: &'static str, pub(super) reranked: &'static str, pub(super) rerank_all: &'static str,
    pub(super) reranking: &'static str, pub(super) settled: &'static str, pub(super) stream_lost: &'static str, pub(super) show_order: &'static str,
    pub(super) showing: &'static str, pub(super) as_typed: &'static str, pub(super) did_you_mean: &'static str,
    pub(super) nothing: &'static str, pub(super) closest: &'static str, pub(super) nothing_searched: &'static str, pub(super) nothing_filters: &'static str,
    pub(super) nothing_words: &'static str, pub(super) nothing_unread: &'static str, pub(super) nothing_indexing: &'static str,
    pub(super) lines: &'static str, pub(super) page: &'static str, pub(super) slide: &'static str, pub(super) mail: &'static str, pub(super) changed: &'static str,
    pub(super) more_passages: &'static str, pub(super) also_in: &'static str, pub(super) copy_link: &'static str, pub(super) copied: &'static str,
    pub(super) similar: &'static str, pub(super) similar_to: &'static str, pub(super) why: &'static str,
    pub(super) preview: &'static str, pub(super) close: &'static str, pub(super) open_document: &'static str,
    pub(super) open_file: &'static str, pub(super) open_origin: &'static str, pub(super) why_words_rank: &'static str,
    pub(super) why_words_none: &'static str, pub(super) why_meaning_rank: &'static str,
    pub(super) why_meaning_none: &'static str, pub(super) why_reader_score: &'static str,
    pub(super) why_reader_none: &'static str, pub(super) why_expanded: &'static str, pub(super) why_pinned: &'static str,
    pub(super) why_boosted: &'static str, pub(super) why_page: &'static str, pub(super) why_age: &'static str,
    pub(super) why_language: &'static str, pub(super) why_because: &'static str, pub(super) pages: &'static str,
    pub(super) previous: &'static str, pub(super) next: &'static str, pub(super) page_number: &'static str,
    pub(super) back_to_results: &'static str, pub(super) contents: &'static str, pub(super) earlier: &'static str,
    pub(super) later: &'static str, pub(super) passage_link: &'static str, pub(super) found_passage: &'static str,
    pub(super) generation: &'static str, pub(super) on_disk: &'static str,
    pub(super) activity: &'static str, pub(super) idle: &'static str, 
    pub(super) progress: &'static str, pub(super) time_left: &'static str,
    pub(super) last_run: &'static str, pub(super) models: &'static str,
    pub(super) embedding: &'static str, pub(super) reranker: &'static str, pub(super) dimensions: &'static str,
    pub(super) no_reranker: &'static str, pub(super) errors: &'static str, pub(super) no_errors: &'static str,
    pub(super) ledger: &'static str, pub(super) ledger_intro: &'static str, pub(super) file: &'static str,
    pub(super) state: &'static str, pub(super) size: &'static str, pub(super) reason: &'static str,
    pub(super) passages: &'static str, pub(super) documents: &'static str, pub(super) all: &'static str,
    pub(super) indexed: &'static str, pub(super) partly: &'static str, pub(super) skipped: &'static str, pub(super) unreadable: &'static str,
    pub(super) failed: &'static str, pub(super) unread: &'static str, pub(super) path_contains: &'static str, pub(super) show: &'static str,
    pub(super) first_page: &'static str, pub(super) no_files: &'static str, pub(super) tokens_second: &'static str,
    pub(super) cure_failed: &'static str, pub(super) cure_unreadable: &'static str, pub(super) uptime: &'static str,


 pub(super) go_home: &'static str, pub(super) try_again: &'static str,
    pub(super) offline: &'static str, pub(super) suggestions: &'static str, pub(super) one_suggestion: &'static str,
    pub(super) from_query: &'static str, pub(super) from_title: &'static str, pub(super) from_heading: &'static str,
    pub(super) from_phrase: &'static str, pub(super) from_document: &'static str, pub(super) from_recent: &'static str,
    pub(super) clear_recent: &'static str,
    pub(super) key_focus: &'static str, pub(super) key_move: &'static str, pub(super) key_open: &'static str,
    pub(super) key_file: &'static str, pub(super) key_preview: &'static str, pub(super) key_copy: &'static str,
    pub(super) key_why: &'static str, pub(super) key_help: &'static str, pub(super) key_back: &'static str,
    pub(super) error: Failure, pub(super) not_found: Failure, pub(super) starting: Failure, pub(super) stopping: Failure,
    pub(super) busy: Failure, pub(super) too_slow: Failure, pub(super) too_often: Failure, pub(super) key_needed: Failure,
    pub(super) key_bad: Failure, pub(super) key_scope: Failure, pub(super) unknown_host: Failure, pub(super) other_site: Failure,
    pub(super) no_method: Failure, pub(super) too_much: Failure, pub(super) bad_request: Failure,
    pub(super) not_used: &'static str, pub(super) computes: &'static str, pub(super) queue: &'static str,
    pub(super) seconds: &'static str, pub(super) characters: &'static str, pub(super) text_pages: &'static str, pub(super) as_csv: &'static str,
    pub(super) api: &'static str, pub(super) opensearch: &'static str, pub(super) local_only: &'static str,
}

impl Strings {
    /// What the date of a document is, by the name of its origin.
    pub(super) fn date_from(&self, origin: Option<&str>) -> Option<&'static str> {
        match origin? {
            "mail" => Some(self.date_mail),
            "front-matter" => Some(self.date_front_matter),
            "document" => Some(self.date_document),
            "file" => Some(self.date_file),
            "pushed" => Some(self.date_pushed),
            _ => None,
        }
    }
}

#[rustfmt::skip]
pub(super) const EN: Strings = Strings {
    search: "Search", placeholder: "Ask a question or type a code", tagline: "Search everything your company has written down.",
    skip: "Skip to the results", home: "{}: home", status: "Status",
    keys: "Keyboard", preferences: "Preferences", language_switch: "Page in English",
    theme_auto: "Colours: as the system. Change to light", theme_light: "Colours: light. Change to dark", theme_dark: "Colours: dark. Change to the system’s",
    sources: "Sources", try_one: "For example", no_sources: "Nothing is indexed yet. Start with `quarry serve FOLDER`, or add a folder with `quarry index FOLDER`.",
    fresh: "updated {}", never_run: "not indexed yet", indexing: "indexing {}", waiting: "waiting to be indexed", unread_files: "{} could not be read",
    just_now: "just now",
    results_for: "Results for “{}”", filters: "Filters", source: "Source", kind: "Type", language: "Language", date: "Changed",
    sort: "Order", by_relevance: "Best first", newest_first: "Newest first", oldest_first: "Oldest first",
    date_mail: "The date of the mail", date_front_matter: "The date at the head of the text", date_document: "The date in the document’s properties",
    date_file: "The date of the file", date_pushed: "The date given when it was pushed",
    any: "Any", past_week: "Past week", past_month: "Past month", past_year: "Past year", remove_filter: "Remove this filter", clear_filters: "Clear filters",
    found_in: "{} in {}", reranked: "; the best {} read closely", rerank_all: "Read the best ones closely (slower)",
    reranking: "; reading closely: {} of {}", settled: "; settled in {}", stream_lost: "; the closer reading was cut off", show_order: "Show the new order",
    showing: "Showing results for", as_typed: "Search for “{}” instead", did_you_mean: "Did you mean",
    nothing: "Nothing found for “{}”", closest: "Nothing fits well. Closest:", nothing_searched: "Searched: {}.", nothing_filters: "The filters may leave too little.",
    nothing_words: "Try fewer or other words; codes and names must be written as in the documents.", nothing_unread: "The answer may stand in a file that could not be read:",
    nothing_indexing: "Indexing is still going on; more can be found soon.",
    lines: "lines {}", page: "page {}", slide: "slide {}", mail: "mail", changed: "changed {}", more_passages: "{} more in this document", also_in: "Also in {}",
    copy_link: "Copy link", copied: "Link copied", similar: "Similar", similar_to: "Similar to “{}”", why: "Why this result",
    preview: "Preview", close: "Close", open_document: "Open the whole document", open_file: "Open the source file", open_origin: "Open at the source",
    why_words_rank: "{} by the words you typed", why_words_none: "none of your words stand here",
    why_meaning_rank: "{} by likeness of meaning", why_meaning_none: "not among the nearest in meaning",
    why_reader_score: "judged {} % likely to answer", why_reader_none: "not read closely", why_expanded: "for “{}”, also looked for: {}",
    why_pinned: "put first for this question", why_boosted: "counts {} times by a rule", why_page: "{}: counts {} times",
    why_age: "by its age, counts {} times", why_language: "in your language: counts {} times", why_because: "{} ({})",
    pages: "Pages of results", previous: "Previous", next: "Next", page_number: "Page {}",
    back_to_results: "Back to the results for “{}”", contents: "On this page", earlier: "Earlier passages", later: "Later passages",
    passage_link: "Link to passage {}", found_passage: "The passage that was found",
    generation: "Generation", on_disk: "On disk", activity: "Activity", idle: "Nothing to do: every source is up to date.", 
    progress: "Progress", time_left: "Time left", last_run: "Last looked through", 
    models: "Models", embedding: "Meaning", reranker: "Close reading", dimensions: "{} dimensions",
    no_reranker: "none; name one as `reranker` in quarry.toml to have the best results read closely", 
    errors: "Last errors", no_errors: "None since the server started.",
    ledger: "Files", ledger_intro: "What became of every file.", file: "File", state: "State", size: "Size", reason: "Why, and what helps",
    passages: "Passages", documents: "Documents", all: "All", indexed: "Indexed", partly: "Partly", skipped: "Skipped", unreadable: "Unreadable", failed: "Failed", unread: "Unreadable or failed",
    path_contains: "Path contains", show: "Show", first_page: "From the start", no_files: "No file is in this state.", tokens_second: "{} tokens/s",
    cure_failed: "It is tried again at the next run. If it fails again, the server’s log says more.",
    cure_unreadable: "The list of files below says why for each.", uptime: "Running for {}",
    go_home: "Go to the first page", try_again: "Try again",
    offline: "The server cannot be reached. What you see may be out of date.", suggestions: "{} suggestions", one_suggestion: "1 suggestion",
    from_query: "asked before", from_title: "title", from_heading: "heading",
    from_phrase: "in the documents", from_document: "open", from_recent: "searched lately", clear_recent: "Forget what was searched lately",
    key_focus: "Go to the search field", key_move: "Next, previous result", key_open: "Open the document", key_file: "Open the source file",
    key_preview: "Show or hide the preview", key_copy: "Copy a link to the passage", key_why: "Why this result", key_help: "Show these keys", key_back: "One step back",
    error: Failure { title: "That did not work", cure: "It is our fault, not yours. The server’s log says more." },
    not_found: Failure { title: "There is nothing here", cure: "The document may have been moved or removed since. Search for it by its title." },
    starting: Failure { title: "The index is being opened", cure: "This takes a moment. The page tries again by itself." },
    stopping: Failure { title: "The server is stopping", cure: "It is usually back in a moment." },
    busy: Failure { title: "Too many are searching right now", cure: "Try again in a moment." },
    too_slow: Failure { title: "This took too long", cure: "It was given up after {}. Ask for less, or try again when less is going on." },
    too_often: Failure { title: "Too many requests", cure: "You may go on in {}." },
    key_needed: Failure { title: "A key is needed", cure: "Enter it as the password when the browser asks; the name does not matter. An administrator makes one with `quarry keys create`." },
    key_bad: Failure { title: "This key is not valid", cure: "It is unknown, revoked or expired. Ask an administrator for a new one." },
    key_scope: Failure { title: "Your key may not do this", cure: "Ask an administrator for one with the scope that is needed." },
    unknown_host: Failure { title: "This server does not go by that name", cure: "Use the address that you were given. An administrator can add names to server.allowed_hosts." },
    other_site: Failure { title: "Refused: it came from another site", cure: "Nothing was changed. Do it on the page of this server." },
    no_method: Failure { title: "This address is only for reading", cure: "Go to the first page and start from there." },
    too_much: Failure { title: "That is too much", cure: "Shorten the question, or take some filters away." },
    bad_request: Failure { title: "This address cannot be understood", cure: "Check the filters in it: dates look like 2026-01-31." },
    not_used: "not used yet", computes: "{} on {}", queue: "{} waiting",
    seconds: "Seconds", characters: "Characters", text_pages: "Pages with text", as_csv: "These files as CSV",
    api: "API", opensearch: "Search the company’s documents", local_only: "Nothing you type leaves this server.",
};

#[rustfmt::skip]
pub(super) const ZH: Strings = Strings {
    search: "搜索", placeholder: "输入问题、关键词或编号", tagline: "搜索公司写下的一切。",
    skip: "跳到结果", home: "{}：首页", status: "状态",
    keys: "键盘", preferences: "设置", language_switch: "中文页面",
    theme_auto: "颜色：跟随系统，切换为浅色", theme_light: "颜色：浅色，切换为深色", theme_dark: "颜色：深色，切换为跟随系统",
    sources: "来源", try_one: "例如", no_sources: "还没有任何索引。请用 `quarry serve 文件夹` 启动，或用 `quarry index 文件夹` 添加。",
    fresh: "更新于{}", never_run: "尚未索引", indexing: "正在索引 {}", waiting: "等待索引", unread_files: "{}无法读取",
    just_now: "刚刚",
    results_for: "“{}”的搜索结果", filters: "筛选", source: "来源", kind: "类型", language: "语言", date: "修改时间",
    sort: "排序", by_relevance: "最相关优先", newest_first: "最新优先", oldest_first: "最早优先",
    date_mail: "邮件日期", date_front_matter: "正文开头注明的日期", date_document: "文档属性中的日期",
    date_file: "文件日期", date_pushed: "推送时给出的日期",
    any: "不限", past_week: "最近一周", past_month: "最近一个月", past_year: "最近一年", remove_filter: "移除此筛选", clear_filters: "清除筛选",
    found_in: "{}，用时 {}", reranked: "；已精读前 {} 条", rerank_all: "精读最佳结果（较慢）",
    reranking: "；正在精读：{} / {}", settled: "；{} 后排序稳定", stream_lost: "；精读中断", show_order: "显示新次序",
    showing: "显示的是以下内容的结果：", as_typed: "改为搜索“{}”", did_you_mean: "您要找的是不是：",
    nothing: "没有找到“{}”", closest: "没有很合适的结果。最接近的是：", nothing_searched: "搜索范围：{}。", nothing_filters: "筛选条件可能太严。",
    nothing_words: "请减少或更换关键词；编号和名称须与文档中的写法一致。", nothing_unread: "答案可能在无法读取的文件中：",
    nothing_indexing: "索引仍在进行，稍后可能找到更多。",
    lines: "第 {} 行", page: "第 {} 页", slide: "第 {} 张幻灯片", mail: "邮件", changed: "修改于 {}", more_passages: "本文档中还有 {} 处", also_in: "另有 {}",
    copy_link: "复制链接", copied: "链接已复制", similar: "相似文档", similar_to: "与“{}”相似", why: "为什么是它",
    preview: "预览", close: "关闭", open_document: "打开整个文档", open_file: "打开源文件", open_origin: "在来源处打开",
    why_words_rank: "按所输字词排{}", why_words_none: "此处没有所输字词",
    why_meaning_rank: "按含义相近排{}", why_meaning_none: "不在含义最近之列",
    why_reader_score: "能回答的可能性为 {} %", why_reader_none: "未精读", why_expanded: "“{}”同时搜索了：{}",
    why_pinned: "针对此问题置顶", why_boosted: "按规则乘以 {}", why_page: "{}：乘以 {}",
    why_age: "按文档新旧乘以 {}", why_language: "与界面语言相同：乘以 {}", why_because: "{}（{}）",
    pages: "结果分页", previous: "上一页", next: "下一页", page_number: "第 {} 页",
    back_to_results: "返回“{}”的结果", contents: "本页目录", earlier: "前面的段落", later: "后面的段落",
    passage_link: "段落 {} 的链接", found_passage: "找到的段落",
    generation: "版本", on_disk: "占用空间", activity: "进行中", idle: "没有任务：所有来源都是最新的。", 
    progress: "进度", time_left: "剩余时间", last_run: "上次检查", 
    models: "模型", embedding: "含义", reranker: "精读", dimensions: "{} 维",
    no_reranker: "无；在 quarry.toml 中用 `reranker` 指定后可精读最佳结果", 
    errors: "最近的错误", no_errors: "服务启动以来没有错误。",
    ledger: "文件", ledger_intro: "每个文件的处理结果。", file: "文件", state: "状态", size: "大小", reason: "原因与办法",
    passages: "段落", documents: "文档", all: "全部", indexed: "已索引", partly: "部分索引", skipped: "已跳过", unreadable: "无法读取", failed: "失败", unread: "无法读取或失败",
    path_contains: "路径包含", show: "显示", first_page: "从头开始", no_files: "没有处于此状态的文件。", tokens_second: "{} 词元/秒",
    cure_failed: "下次运行会重试。若再次失败，请查看服务日志。",
    cure_unreadable: "下面的文件列表逐一说明原因。", uptime: "已运行 {}",
    go_home: "返回首页", try_again: "重试",
    offline: "无法连接服务器，显示的内容可能已过时。", suggestions: "{} 条建议", one_suggestion: "1 条建议",
    from_query: "搜索过", from_title: "标题", from_heading: "小标题",
    from_phrase: "文档用语", from_document: "打开", from_recent: "最近搜索", clear_recent: "清除最近搜索",
    key_focus: "转到搜索框", key_move: "下一条、上一条结果", key_open: "打开文档", key_file: "打开源文件",
    key_preview: "显示或隐藏预览", key_copy: "复制段落链接", key_why: "为什么是它", key_help: "显示快捷键", key_back: "后退一步",
    error: Failure { title: "出了问题", cure: "这是我们的错误，与您无关。服务日志中有详细信息。" },
    not_found: Failure { title: "这里什么也没有", cure: "文档可能已被移动或删除，请按标题搜索。" },
    starting: Failure { title: "正在打开索引", cure: "请稍候，页面会自动重试。" },
    stopping: Failure { title: "服务正在停止", cure: "通常很快就会恢复。" },
    busy: Failure { title: "当前搜索的人太多", cure: "请稍后再试。" },
    too_slow: Failure { title: "用时过长", cure: "{}后仍未完成，已放弃。请缩小范围，或稍后再试。" },
    too_often: Failure { title: "请求过于频繁", cure: "{}后可以继续。" },
    key_needed: Failure { title: "需要密钥", cure: "浏览器询问时，请把密钥填作密码，用户名不限。管理员可用 `quarry keys create` 创建密钥。" },
    key_bad: Failure { title: "密钥无效", cure: "密钥不存在、已撤销或已过期。请向管理员索取新的密钥。" },
    key_scope: Failure { title: "您的密钥没有此权限", cure: "请向管理员索取具有相应权限的密钥。" },
    unknown_host: Failure { title: "服务器没有这个名称", cure: "请使用告知您的地址。管理员可在 server.allowed_hosts 中添加名称。" },
    other_site: Failure { title: "已拒绝：请求来自其他网站", cure: "没有任何更改。请在本服务器的页面上操作。" },
    no_method: Failure { title: "此地址只能读取", cure: "请返回首页重新开始。" },
    too_much: Failure { title: "内容过多", cure: "请缩短问题，或去掉一些筛选条件。" },
    bad_request: Failure { title: "无法理解此地址", cure: "请检查其中的筛选条件：日期的写法如 2026-01-31。" },
    not_used: "尚未使用", computes: "{}，{}", queue: "{} 个等待",
    seconds: "秒", characters: "字符", text_pages: "有文字的页", as_csv: "以 CSV 下载这些文件",
    api: "API", opensearch: "搜索公司文档", local_only: "您输入的内容不会离开这台服务器。",
};

/// A pattern with its gaps filled, in order.
pub(super) fn fill(pattern: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut text = String::with_capacity(pattern.len());
    for (number, part) in pattern.split("{}").enumerate() {
        if number > 0 {
            text.push_str(values.next().unwrap_or(&"{}"));
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_in_order_and_never_twice() {
        assert_eq!(fill("{} of {}", &["{}", "b"]), "{} of b");
        assert_eq!(fill("no gap", &["a"]), "no gap");
    }
}
