//! Words as people type them: accents, spellings, numbers, units, names and languages find what was meant.

use crate::support::Bench;

/// Documents and, for queries, the path that must come first by BM25 alone.
fn finds(documents: &[(&str, &str)], expected: &[(&str, &str)]) {
    let bench = Bench::new();
    for (path, text) in documents {
        bench.write(path, text);
    }
    bench.index();
    for (query, path) in expected {
        let found = bench.paths(&[query, "--lexical"]);
        assert_eq!(found.first().map(String::as_str), Some(*path), "{query}: {found:?}");
    }
}

#[test]
fn every_word_finds_its_own_document_in_any_language() {
    let texts = [
        (
            "pt.md",
            "A comissão aprova as exceções e a manutenção dos veículos até ao final de março, sem custos para você.",
        ),
        (
            "fr.md",
            "Les employés déposent leurs reçus à la comptabilité; les congés sont accordés après décision du comité.",
        ),
        (
            "pl.md",
            "Każdy pracownik otrzymuje przepustkę i zdjęcie; wniosek należy złożyć przed końcem miesiąca w kadrach.",
        ),
        ("ru.md", "Каждый сотрудник получает новый пропуск; заявление нужно подать до конца месяца в отдел кадров."),
        ("de.md", "Die Geschäftsführung genehmigt Überstunden nur, wenn sie vorher schriftlich beantragt wurden."),
    ];
    let bench = Bench::new();
    for (path, text) in texts {
        bench.write(path, text);
    }
    bench.index();
    for (path, text) in texts {
        for word in text.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.chars().count() > 4) {
            let found = bench.paths(&[word, "--lexical"]);
            assert_eq!(found.first().map(String::as_str), Some(path), "{word}: {found:?}");
        }
    }
    for (typed, path) in [("comissao", "pt.md"), ("decision", "fr.md"), ("zlozyc", "pl.md"), ("uberstunden", "de.md")] {
        assert_eq!(bench.paths(&[typed, "--lexical"]), [path], "{typed}");
    }
}

#[test]
fn a_stem_of_one_language_is_no_word_of_another() {
    finds(
        &[
            ("reset.md", "Press the button on the back to reset the router, then wait until the lamp is green."),
            (
                "sv.md",
                "Resa och reser: boka resan hos resebyrån. Resor längre än en dag ska godkännas av din chef innan du reser.",
            ),
        ],
        &[("reset", "reset.md"), ("resor", "sv.md")],
    );
}

#[test]
fn what_is_not_seen_and_how_it_is_composed_do_not_matter() {
    finds(
        &[
            ("a.md", "Die Reise\u{AD}kosten\u{AD}ordnung gilt ab Mai. Das Kenn\u{200B}wort steht im Tresor."),
            ("b.md", "Ein Hinweis zur U\u{308}berlassung von Ra\u{308}umen an Gäste."),
            ("c.md", "面談は第二会議室で行います。ﾌﾟﾛｼﾞｪｸﾀは受付で借りられます。"),
            (
                "d.md",
                "\u{110E}\u{116E}\u{11AF}\u{110C}\u{1161}\u{11BC}\u{1107}\u{1175} \u{1112}\u{116A}\u{11A8}\u{110B}\u{1175}\u{11AB}",
            ),
            ("e.md", "員工出差的費用須於三十日內報銷。"),
        ],
        &[
            ("Reisekostenordnung", "a.md"),
            ("\"Kennwort\"", "a.md"),
            ("Überlassung", "b.md"),
            ("\"Räumen\"", "b.md"),
            ("プロジェクタ", "c.md"),
            ("\"출장비\"", "d.md"),
            ("报销费用", "e.md"),
        ],
    );
}

#[test]
fn numbers_units_and_names_are_found_in_every_spelling() {
    finds(
        &[
            ("drill.md", "The drill runs at 400V and 32A; it takes bits of 6.5mm and cables of 1.5mm²."),
            ("lathe.md", "The lathe runs at 230 V and 16 A; it takes cables of 6 mm² only."),
            ("bill.md", "Amount due: 1.288,50 EUR, of which freight is 41,75 EUR."),
            ("stock.md", "Shelf 41 holds 75 hooks, shelf 1 holds 288 hooks, shelf 50 is free."),
            ("iso.md", "The plant is certified by ISO 14001 since last spring."),
            ("login.md", "Partners sign in by OAuth2 or with a smart card."),
            ("hyphens.md", "The check-in desk opens at six. A pre-order can be cancelled."),
            ("parts.md", "Bearing QX-4410/2 replaces the older one."),
        ],
        &[
            ("400 V", "drill.md"),
            ("230V", "lathe.md"),
            ("1.5 mm²", "drill.md"),
            ("6mm2", "lathe.md"),
            ("41.75", "bill.md"),
            ("1288.50", "bill.md"),
            ("ISO14001", "iso.md"),
            ("oauth", "login.md"),
            ("oauth 2", "login.md"),
            ("checkin", "hyphens.md"),
            ("preorder", "hyphens.md"),
            ("QX4410", "parts.md"),
        ],
    );
}

#[test]
fn telephone_numbers_are_found_however_they_are_written() {
    finds(
        &[
            ("berlin.md", "Reception: (030) 765-4321, the fax stands beside it."),
            ("munich.md", "Reception: +49 89 1112223 on weekdays."),
            ("boston.md", "Reception: 617-555-0143, ask for Ann."),
            ("paris.md", "Accueil: 01 44 55 66 77 du lundi au vendredi."),
            ("order.md", "Order 0012345 was placed in 2024; ticket INC0067890 is closed."),
        ],
        &[
            ("0307654321", "berlin.md"),
            ("030 / 765 43 21", "berlin.md"),
            ("+49 30 7654321", "berlin.md"),
            ("089 1112223", "munich.md"),
            ("+1 (617) 555-0143", "boston.md"),
            ("6175550143", "boston.md"),
            ("0144556677", "paris.md"),
            ("+33 1 44 55 66 77", "paris.md"),
            ("12345", "order.md"),
            ("67890", "order.md"),
            ("INC67890", "order.md"),
        ],
    );
}

#[test]
fn digits_of_other_scripts_are_digits() {
    finds(
        &[
            ("ar.md", "تقرير المبيعات لسنة ٢٠٢٤ مع السعر ١٬٢٣٤٫٥٠"),
            ("hi.md", "बैठक कक्ष ४०७ में होगी"),
            ("th.md", "ห้องประชุม ๓๑๒ ชั้นสาม"),
            ("en.md", "Report of 2023 with 1,235.50 for room 408 and room 313"),
        ],
        &[("2024", "ar.md"), ("1234.5", "ar.md"), ("407", "hi.md"), ("312", "th.md"), ("٢٠٢٣", "en.md")],
    );
}

#[test]
fn letters_that_a_keyboard_lacks_may_be_written_in_two() {
    finds(
        &[
            ("de.md", "Herr Müller prüft die Übersicht der Straßen, bevor er nach Zürich fährt und dort bleibt."),
            ("ae.md", "Frau Schroeder und Herr Koehler haben die Schluessel fuer den Keller und das Archiv bei sich."),
            ("other.md", "Die neue Quelle im Garten: der Bauer baut, und der Muller mahlt das Korn in der Mühle."),
        ],
        &[
            ("Zuerich", "de.md"),
            ("Uebersicht", "de.md"),
            ("Schröder", "ae.md"),
            ("Schlüssel", "ae.md"),
            ("Koehler", "ae.md"),
            ("neue Quelle", "other.md"),
        ],
    );
    let bench = Bench::new();
    bench.write("one.md", "Herr Müller leitet das Lager.");
    bench.write("two.md", "Frau Mueller leitet den Einkauf.");
    bench.index();
    assert_eq!(bench.paths(&["Müller", "--lexical"]).len(), 2, "both spellings of a name");
}

#[test]
fn versions_sections_and_numbers_are_found_as_they_are_typed() {
    finds(
        &[
            ("firmware.md", "Version 2.10.3 of the firmware, for devices behind 10.20.30.40 alone."),
            ("final.md", "The file v2-final is for version 2 of 10 devices, 3 of them new."),
            ("law.md", "As § 5 of the rules says, and §12a too."),
            ("numbers.md", "Rule 5 of 5, and 12 others."),
            ("bill.md", "Invoice RE-2024/0815 is due."),
            ("staff.md", "Employee no. 000123 has left the house."),
        ],
        &[
            ("v2.10.3", "firmware.md"),
            ("2.10", "firmware.md"),
            ("10.20.30", "firmware.md"),
            ("§5", "law.md"),
            ("§ 12a", "law.md"),
            ("RE20240815", "bill.md"),
            ("123", "staff.md"),
        ],
    );
}

#[test]
fn a_short_page_has_the_language_of_its_script() {
    finds(
        &[("leave.md", "إجازة سنوية"), ("pump.md", "The pump room is closed.")],
        &[("اجازة", "leave.md"), ("الإجازة", "leave.md")],
    );
}

#[test]
fn signs_within_names_may_be_left_out() {
    finds(
        &[
            ("att.md", "The lines are rented from AT&T until spring."),
            ("node.md", "The service is written in Node.js and runs on ASP.NET Core as well."),
            ("io.md", "Slow I/O of the disks delays TCP/IP traffic."),
            ("brien.md", "Ms O'Brien leads the harbour office."),
            ("snake.md", "Set retry_limit in the settings of the pump."),
            ("micro.md", "Take 5 µg of the reagent, at most 20 µl."),
            ("iso.md", "The plant is certified by ISO/IEC 27001 and DIN EN 50128."),
            ("paper.md", "Print it on DIN A4, the desk is staffed 24/7, and the screen has 1920 × 1080 points."),
            ("net.md", "We write .NET and C# by hand, and C++ never."),
            ("ssl.md", "The server speaks OpenSSL 3 since last year."),
            ("other.md", "Node at the desk, net 24, notes 7, size 1920: a report on paper, limit, retry, ssl 2."),
        ],
        &[
            ("ATT", "att.md"),
            ("at&t", "att.md"),
            ("nodejs", "node.md"),
            ("aspnet", "node.md"),
            ("IO", "io.md"),
            ("tcpip", "io.md"),
            ("obrien", "brien.md"),
            ("retrylimit", "snake.md"),
            ("5ug", "micro.md"),
            ("20 ul", "micro.md"),
            ("ISO27001", "iso.md"),
            ("EN50128", "iso.md"),
            ("DINA4", "paper.md"),
            ("24x7", "paper.md"),
            ("1920x1080", "paper.md"),
            ("dotnet", "net.md"),
            ("csharp", "net.md"),
            ("cpp", "net.md"),
            ("openssl3", "ssl.md"),
        ],
    );
    finds(
        &[("size.md", "The screen has 2560x1440 points, support is 24x7."), ("other.md", "2560 of 1440, 24 and 7")],
        &[("2560×1440", "size.md"), ("2560 x 1440", "size.md"), ("24/7", "size.md")],
    );
}

#[test]
fn capitals_tell_names_from_function_words() {
    finds(
        &[
            ("us.md", "# Parental leave US\n\nStaff in the US take twelve weeks."),
            ("uk.md", "# Parental leave UK\n\nStaff in the UK ask us first; tell us early, and let us know how long."),
            ("may.md", "# Travel figures May\n\nIn May we flew less."),
            ("june.md", "# Travel figures June\n\nYou may fly. You may ask. Trips may be refused, and you may appeal."),
            ("it.md", "# IT budget\n\nThe IT budget covers servers."),
            ("budget.md", "# Budget\n\nThe budget: it is small, it is fixed, it is ours. A budget is what it is."),
        ],
        &[("parental leave US", "us.md"), ("travel figures May", "may.md"), ("IT budget", "it.md")],
    );
}

#[test]
fn quoted_words_are_taken_as_they_are_written() {
    let bench = Bench::new();
    bench.write("a.md", "Management of goods begins with a request.");
    bench.write("b.md", "We managed goods and are managing more.");
    bench.write("c.md", "La Résidence est fermée pendant les travaux; les résidents passent par la cour.");
    bench.index();
    assert_eq!(bench.paths(&["\"managing\"", "--lexical"]), ["b.md"]);
    assert_eq!(bench.paths(&["“management of goods”", "--lexical"]), ["a.md"]);
    assert_eq!(bench.paths(&["«residence»", "--lexical"]), ["c.md"]);
    assert!(bench.paths(&["\"manage\"", "--lexical"]).is_empty());
    assert!(bench.paths(&["goods -manage", "--lexical"]).is_empty(), "an exclusion leaves out every form");
    assert_eq!(bench.paths(&["goods -\"managed\"", "--lexical"]), ["a.md"]);
}

#[test]
fn a_number_and_its_unit_are_one_thing() {
    finds(
        &[
            ("pump.md", "The pump delivers 12l/min at 3.5bar; the hose is 5m long, the filter takes 3½ hours."),
            (
                "fan.md",
                "The fan delivers 30 l/min at 2 bar; the hose is 3 m long, the filter takes 31 hours and 12 days.",
            ),
            ("bank.md", "Transfer to DE44 5001 0517 5407 3249 31 within 14 days."),
            ("mill.md", "The mill of 10² metres is 5 years old; hall 102 is 14 years old."),
        ],
        &[
            ("12 l/min", "pump.md"),
            ("30l/min", "fan.md"),
            ("5 m", "pump.md"),
            ("3½ hours", "pump.md"),
            ("3 1/2 hours", "pump.md"),
            ("31 hours", "fan.md"),
            ("14 days", "bank.md"),
            ("DE44500105175407324931", "bank.md"),
        ],
    );
}

#[test]
fn signs_belong_to_the_names_of_languages_and_files() {
    finds(
        &[
            ("c.md", "We write C, and the C compiler checks it. Twenty nets hang in hall 20 of net 17."),
            ("cpp.md", "We write C++20 with the compiler that is installed."),
            ("sharp.md", "We write C#12 on .NET with the compiler that is installed."),
            ("git.md", "Leave out what .gitignore names; git ignores nothing else."),
        ],
        &[("C++ 20", "cpp.md"), ("c++", "cpp.md"), ("C#", "sharp.md"), (".NET", "sharp.md"), (".gitignore", "git.md")],
    );
}

#[test]
fn a_lone_function_word_among_key_words_may_be_a_name() {
    finds(
        &[
            ("us.md", "# Parental leave US\n\nStaff in the US take twelve weeks."),
            (
                "uk.md",
                "# Parental leave UK\n\nStaff in the UK ask us first; tell us early, and let us know about leave.",
            ),
            ("it.md", "# IT budget\n\nThe IT budget covers servers."),
            ("budget.md", "# Budget\n\nThe budget: it is small, it is fixed, it is ours. A budget is what it is."),
            ("may.md", "# Travel figures May\n\nIn May we flew less."),
            (
                "june.md",
                "# Travel figures June\n\nYou may fly. You may ask. Travel may be refused, and you may appeal.",
            ),
        ],
        &[
            ("parental leave us", "us.md"),
            ("PARENTAL LEAVE US", "us.md"),
            ("it budget", "it.md"),
            ("travel figures may", "may.md"),
        ],
    );
}

#[test]
fn a_name_of_several_words_stands_together() {
    finds(
        &[
            ("will.md", "Will Smith leads sales."),
            ("smith.md", "Smith will lead. Smith will go, and Smith will see; sales will rise."),
            ("paper.md", "Le Monde est livré au bureau."),
            ("world.md", "Le tour du monde: le plus grand bureau au monde, et du monde entier."),
        ],
        &[("Will Smith", "will.md"), ("Le Monde", "paper.md")],
    );
}

#[test]
fn what_stands_there_in_another_spelling_is_as_good_as_found() {
    // Beside vectors too: what is not held in one spelling does not make little of the one that is.
    let bench = Bench::new();
    for (path, text) in [
        ("admin.md", "The database administrator looks after the frontend."),
        ("sum.md", "Amount due: 1.288,50 EUR for the winch."),
        ("facts.md", "Facts and figures of the basis: information, numbers and dates."),
        ("count.md", "1288 pieces were counted, of which 5 were broken; of 1289 none."),
    ] {
        bench.write(path, text);
    }
    bench.index();
    for (query, path) in [("data-base", "admin.md"), ("front-end", "admin.md"), ("1288.5", "sum.md")] {
        assert_eq!(bench.paths(&[query]).first().map(String::as_str), Some(path), "{query}");
    }
}

#[test]
fn names_that_differ_in_their_composition_are_two_documents() {
    let bench = Bench::new();
    let (composed, apart) = ("R\u{e9}sum\u{e9}.md", "Re\u{301}sume\u{301}.md");
    bench.write(composed, "The gecko sleeps under the roof.");
    bench.write(apart, "The otter swims in the harbour.");
    bench.write("ｇｕｉｄｅ２０２４.md", "The heron stands at the pond.");
    bench.index();
    for filter in [format!("path:{composed}"), format!("path:{apart}")] {
        let mut found = bench.paths(&[&filter]);
        found.sort();
        assert_eq!(found, [apart, composed], "a filter means both");
    }
    let answers = ["gecko", "otter"].map(|word| bench.search(&[word, "--lexical"])["results"][0].clone());
    assert_eq!(answers.each_ref().map(|found| found["path"].as_str().unwrap()), [composed, apart]);
    assert_ne!(answers[0]["id"], answers[1]["id"], "each opens as itself");
    assert_eq!(bench.paths(&["path:guide2024"]), ["ｇｕｉｄｅ２０２４.md"]);
}
