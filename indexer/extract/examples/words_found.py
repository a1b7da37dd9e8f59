#!/usr/bin/env python3
"""Share of the words of expected texts that `quarry extract` prints.

    words_found.py QUARRY DIR

DIR holds `manifest.tsv` (columns path, bytes, format, origin, licence, expected, note, pdfium_ref), the files, and the expected
texts as Markdown, plain text or the JSON of mail-parser. Comments and link targets of the expectations do not count; of a mail
its subject, names and bodies do. A word counts as often as it is expected. Standard library only.
"""
import collections, csv, html, json, os, re, subprocess, sys, time

FAMILIES = {
    "PDF": {"pdf"}, "DOCX": {"docx"}, "PPTX": {"pptx"}, "XLSX": {"xlsx", "xlsm", "xlsb"}, "CSV, TSV": {"csv", "tsv"},
    "ODT, ODP": {"odt", "odp", "ods"}, "DOC, XLS, PPT": {"doc", "xls", "ppt"}, "EPUB": {"epub"}, "mail (EML, MSG)": {"eml", "msg", "mail"},
    "HTML": {"html", "htm", "xhtml"}, "Markdown": {"md", "markdown"}, "AsciiDoc": {"asciidoc", "adoc"},
}
WORD = re.compile(r"\w+", re.UNICODE)


def strip(text):
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.S)
    text = re.sub(r"\]\([^)]*\)", "] ", text)
    text = re.sub(r"https?://\S+", " ", text)
    return html.unescape(re.sub(r"</?[a-zA-Z][^>]*>", " ", text)).replace("\\_", "_")


def of_mail(mail):
    """What a reader of the mail sees: subjects, and of each text that comes twice the one with pictures and links."""
    words, roles = [], {part["role"] for part in mail["parts"]}
    for part in mail["parts"]:
        for header in part["headers"]:
            if header["name"] == "Subject" and isinstance(header["value"], dict):
                words.append(header["value"].get("text", ""))
        if part["kind"] == "html" or part["kind"] == "text" and not (part["role"] == "text_body" and "html_body" in roles):
            words.append(re.sub(r"<(style|script|title)\b.*?</\1>", " ", part.get("text", ""), flags=re.S | re.I))
    return "\n".join(words)


def expected(path):
    text = open(path, encoding="utf-8", errors="replace").read()
    if path.endswith(".json"):
        return strip(of_mail(json.loads(text)))
    return strip(text)


def counted(text):
    return collections.Counter(word.lower() for word in WORD.findall(text))


def main():
    quarry, folder = sys.argv[1], sys.argv[2]
    rows = collections.defaultdict(list)
    began, slowest, crashed = time.time(), (0, ""), []
    with open(os.path.join(folder, "manifest.tsv"), encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            path = os.path.join(folder, row["path"])
            family = next((name for name, formats in FAMILIES.items() if row["format"] in formats), "others")
            start = time.time()
            run = subprocess.run([quarry, "extract", path], capture_output=True, timeout=120)
            slowest = max(slowest, (time.time() - start, row["path"]))
            if run.returncode not in (0, 3, 4):
                crashed.append((row["path"], run.returncode))
            share, reference = None, row["expected"] if row["expected"] != "-" else row["pdfium_ref"]
            if reference not in ("-", "", None) and run.returncode in (0, 3):
                wanted = counted(expected(os.path.join(folder, reference)))
                found = counted(strip(run.stdout.decode("utf-8", "replace")))
                if wanted:
                    share = sum((wanted & found).values()) / sum(wanted.values())
            rows[family].append((row["path"], run.returncode in (0, 3), share))
    took = time.time() - began
    everything = []
    print("| format | files | read | with an expected text | words found, mean | lowest |\n|---|---|---|---|---|---|")
    for name in [*FAMILIES, "others"]:
        files = rows.get(name, [])
        shares = [share for _, _, share in files if share is not None]
        everything += [(share, path) for path, _, share in files if share is not None]
        mean = f"{sum(shares) / len(shares):.3f} | {min(shares):.3f}" if shares else " | "
        print(f"| {name} | {len(files)} | {sum(read for _, read, _ in files)} | {len(shares)} | {mean} |")
    total = sum(len(files) for files in rows.values())
    print(f"| all | {total} | {sum(read for files in rows.values() for _, read, _ in files)} | {len(everything)} | "
          f"{sum(share for share, _ in everything) / len(everything):.4f} | |")
    print(f"{took:.1f} s, slowest {slowest[0]:.2f} s ({slowest[1]}); other exits: {crashed}")
    print("lowest:", *(f"{share:.3f} {path}" for share, path in sorted(everything)[:15]), sep="\n  ")


main()
