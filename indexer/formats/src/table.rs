//! The rows of the table. A new format is one row here and its reader in `extract`; a new language of source code that
//! has no grammar is one row alone.

use crate::{Delivery, Family, Format, Icon};

/// Prose in a file of its own kind: saved, not shown.
const fn prose(name: &'static str, label: &'static str, extensions: &'static [&'static str]) -> Format {
    Format {
        name,
        label,
        label_zh: None,
        extensions,
        file_names: &[],
        aliases: &[],
        family: Family::Prose,
        media_type: "application/octet-stream",
        icon: Icon::Document,
        delivery: Delivery::Download,
    }
}

/// Prose that is written as text.
const fn written(name: &'static str, label: &'static str, extensions: &'static [&'static str]) -> Format {
    Format { delivery: Delivery::Inline, media_type: "text/plain", ..prose(name, label, extensions) }
}

/// A language of source code, configuration or data.
const fn code(name: &'static str, label: &'static str, extensions: &'static [&'static str]) -> Format {
    Format { family: Family::Code, icon: Icon::Code, ..written(name, label, extensions) }
}

/// No text of its own.
const fn binary(name: &'static str, label: &'static str, extensions: &'static [&'static str]) -> Format {
    Format { family: Family::Binary, icon: Icon::Folder, ..prose(name, label, extensions) }
}

impl Format {
    const fn zh(self, label: &'static str) -> Self {
        Self { label_zh: Some(label), ..self }
    }

    const fn files(self, file_names: &'static [&'static str]) -> Self {
        Self { file_names, ..self }
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn media(self, media_type: &'static str) -> Self {
        Self { media_type, ..self }
    }

    const fn icon(self, icon: Icon) -> Self {
        Self { icon, ..self }
    }

    const fn lines(self) -> Self {
        Self { family: Family::Lines, ..self }
    }
}

#[rustfmt::skip]
pub(crate) static FORMATS: &[Format] = &[
    // Text that people write and read as it is.
    written("text", "Plain text", &["txt", "text", "log", "textile"]).zh("纯文本").alias(&["plain"]).lines(),
    written("markdown", "Markdown", &["md", "markdown", "mdown", "mkd", "mkdn", "mdx", "qmd", "rmd"]).alias(&["markdn"]).media("text/markdown"),
    written("html", "HTML", &["html", "htm", "xhtml", "xht", "shtml", "mht", "mhtml"]).media("text/html").icon(Icon::Web),
    written("rst", "reStructuredText", &["rst", "rest"]).media("text/x-rst"),
    written("asciidoc", "AsciiDoc", &["adoc", "asciidoc", "asc", "asciidoctor"]).media("text/asciidoc"),
    written("org", "Org", &["org"]).media("text/org"),
    written("latex", "LaTeX", &["tex", "latex", "ltx"]).media("text/x-tex"),
    written("man", "Manual page", &["man", "mdoc"]).zh("手册页").alias(&["troff", "roff", "nroff"]).media("text/troff"),
    written("subtitles", "Subtitles", &["srt", "vtt", "sbv"]).zh("字幕").media("text/vtt"),
    prose("calendar", "Calendar", &["ics", "ical", "ifb", "vcs"]).zh("日历").alias(&["icalendar", "event", "events"])
        .media("text/calendar").icon(Icon::Table).lines(),
    prose("contacts", "Contacts", &["vcf", "vcard"]).zh("联系人").alias(&["contact"]).media("text/vcard").icon(Icon::Table).lines(),
    written("notebook", "Notebook", &["ipynb"]).alias(&["jupyter"]).media("application/x-ipynb+json"),

    // Data that people read too.
    written("csv", "CSV", &["csv", "psv"]).media("text/csv").icon(Icon::Table),
    written("tsv", "TSV", &["tsv", "tab"]).media("text/tab-separated-values").icon(Icon::Table),
    written("json", "JSON", &["json", "jsonl", "ndjson", "json5", "jsonc", "geojson", "jsonld", "har", "webmanifest", "topojson"])
        .media("application/json").icon(Icon::Settings).lines(),
    written("xml", "XML", &[
        "xml", "xsd", "xsl", "xslt", "pom", "plist", "rss", "atom", "dbk", "docbook", "dita", "ditamap", "tei", "kml",
        "gpx", "opml", "xliff", "xlf", "wsdl", "fb2", "nuspec", "csproj", "props", "resx",
    ]).media("application/xml").icon(Icon::Web).lines(),

    // Office documents and books. Macros and templates are read like the format they belong to.
    prose("pdf", "PDF", &["pdf"]).media("application/pdf").icon(Icon::Pdf),
    prose("docx", "Word", &["docx", "docm", "dotx", "dotm"])
        .media("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    prose("pptx", "PowerPoint", &["pptx", "pptm", "ppsx", "ppsm", "potx", "potm"])
        .media("application/vnd.openxmlformats-officedocument.presentationml.presentation").icon(Icon::Slides),
    prose("xlsx", "Excel", &["xlsx", "xlsm", "xltx", "xltm"])
        .media("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet").icon(Icon::Table),
    prose("xlsb", "Excel (binary)", &["xlsb"]).media("application/vnd.ms-excel.sheet.binary.macroenabled.12").icon(Icon::Table),
    prose("doc", "Word 97–2003", &["doc", "dot"]).media("application/msword"),
    prose("ppt", "PowerPoint 97–2003", &["ppt", "pps", "pot"]).media("application/vnd.ms-powerpoint").icon(Icon::Slides),
    prose("xls", "Excel 97–2003", &["xls", "xlt"]).media("application/vnd.ms-excel").icon(Icon::Table),
    prose("odt", "OpenDocument text", &["odt", "ott", "fodt"]).media("application/vnd.oasis.opendocument.text"),
    prose("odp", "OpenDocument slides", &["odp", "otp", "odg", "fodp"])
        .media("application/vnd.oasis.opendocument.presentation").icon(Icon::Slides),
    prose("ods", "OpenDocument sheet", &["ods", "ots", "fods"])
        .media("application/vnd.oasis.opendocument.spreadsheet").icon(Icon::Table),
    prose("rtf", "Rich text", &["rtf"]).media("application/rtf"),
    prose("epub", "EPUB", &["epub"]).media("application/epub+zip").icon(Icon::Web),

    // Mail.
    prose("eml", "Mail", &["eml", "emlx"]).zh("邮件").media("message/rfc822").icon(Icon::Mail),
    prose("mbox", "Mailbox", &["mbox", "mbx"]).zh("邮箱").media("application/mbox").icon(Icon::Mail),
    prose("msg", "Outlook mail", &["msg"]).zh("Outlook 邮件").media("application/vnd.ms-outlook").icon(Icon::Mail),
    prose("tnef", "Outlook attachment", &["tnef"]).zh("Outlook 附件").files(&["winmail.dat"]).media("application/vnd.ms-tnef").icon(Icon::Mail),

    // Pictures.
    binary("png", "PNG picture", &["png"]).media("image/png").icon(Icon::Picture),
    binary("jpeg", "JPEG picture", &["jpg", "jpeg"]).media("image/jpeg").icon(Icon::Picture),
    binary("tiff", "TIFF picture", &["tif", "tiff"]).media("image/tiff").icon(Icon::Picture),
    binary("webp", "WebP picture", &["webp"]).media("image/webp").icon(Icon::Picture),

    // Archives and compressed files.
    binary("zip", "ZIP archive", &["zip"]).media("application/zip"),
    binary("tar", "Tar archive", &["tar"]).media("application/x-tar"),
    binary("7z", "7z archive", &["7z"]).media("application/x-7z-compressed"),
    binary("gzip", "Gzip", &["gz", "tgz"]).media("application/gzip"),
    binary("bzip2", "Bzip2", &["bz2", "tbz2"]).media("application/x-bzip2"),
    binary("xz", "XZ", &["xz", "txz"]).media("application/x-xz"),
    binary("zstd", "Zstandard", &["zst", "tzst"]).media("application/zstd"),

    // Source code.
    code("rust", "Rust", &["rs"]),
    code("python", "Python", &["py", "pyi", "pyw"]).media("text/x-python"),
    code("javascript", "JavaScript", &["js", "mjs", "cjs", "jsx"]).alias(&["node"]).media("text/javascript"),
    code("typescript", "TypeScript", &["ts", "mts", "cts"]),
    code("tsx", "TSX", &["tsx"]),
    code("go", "Go", &["go"]).alias(&["golang"]),
    code("java", "Java", &["java"]),
    code("c", "C", &["c", "h"]).media("text/x-csrc"),
    code("cpp", "C++", &["cpp", "cc", "cxx", "hh", "hpp", "hxx", "ipp"]).alias(&["c++"]).media("text/x-c++src"),
    code("csharp", "C#", &["cs", "csx"]).alias(&["c#"]),
    code("ruby", "Ruby", &["rb", "rake", "gemspec"]).files(&["gemfile", "rakefile"]),
    code("php", "PHP", &["php", "phtml"]),
    code("shell", "Shell script", &["sh", "bash", "zsh"]).zh("Shell 脚本").files(&[".bashrc", ".profile", ".zshrc"]).media("application/x-sh"),
    code("kotlin", "Kotlin", &["kt", "kts"]),
    code("swift", "Swift", &["swift"]),
    code("scala", "Scala", &["scala", "sbt"]),
    code("perl", "Perl", &["pl", "pm"]),
    code("lua", "Lua", &["lua"]),
    code("r", "R", &["r"]).alias(&["rscript"]),
    code("julia", "Julia", &["jl"]),
    code("haskell", "Haskell", &["hs"]),
    code("elixir", "Elixir", &["ex", "exs"]),
    code("erlang", "Erlang", &["erl", "hrl"]),
    code("clojure", "Clojure", &["clj", "cljs", "edn"]),
    code("dart", "Dart", &["dart"]),
    code("zig", "Zig", &["zig"]),
    code("powershell", "PowerShell", &["ps1", "psm1"]).alias(&["pwsh"]),
    code("batch", "Batch file", &["bat", "cmd"]),
    code("sql", "SQL", &["sql"]).media("application/sql"),
    code("css", "CSS", &["css", "scss", "sass", "less"]).media("text/css"),
    code("fish", "Fish script", &["fish"]),
    code("vue", "Vue", &["vue"]),
    code("svelte", "Svelte", &["svelte"]),

    // Configuration and data that are kept as they are.
    code("protobuf", "Protocol Buffers", &["proto"]),
    code("graphql", "GraphQL", &["graphql", "gql"]).media("application/graphql"),
    code("terraform", "Terraform", &["tf", "tfvars", "hcl"]),
    code("nix", "Nix", &["nix"]),
    code("dockerfile", "Dockerfile", &["dockerfile"]).files(&["dockerfile", "containerfile"]),
    code("makefile", "Makefile", &["mk", "mak"]).files(&["makefile", "gnumakefile", "justfile"]).alias(&["make"]),
    code("cmake", "CMake", &["cmake"]).files(&["cmakelists.txt"]),
    code("toml", "TOML", &["toml"]).files(&["cargo.lock"]).media("application/toml").icon(Icon::Settings),
    code("yaml", "YAML", &["yaml", "yml"]).media("application/yaml").icon(Icon::Settings),
    code("ini", "INI", &["ini", "cfg", "conf", "properties", "env", "editorconfig"]).icon(Icon::Settings),
    code("diff", "Diff", &["diff", "patch"]).media("text/x-diff"),
];
