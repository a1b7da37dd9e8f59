//! Claims that stand, and claims that fall.

use storage::BlockKind;

use super::claim::Cited;
use super::*;

const LEAVE: &str = "Full-time staff have 27 working days of holiday a year. Contractors have none.\nAsk in Nest.";
const TABLE: &str = "| Role | Weeks |\n| --- | --- |\n| Birth parent | 20 weeks |\n| Other parent | 12 weeks |";

fn grounds() -> Vec<Ground> {
    vec![
        Ground { above: "Annual leave".into(), text: LEAVE.into(), blocks: vec![] },
        Ground {
            above: "Parental leave".into(),
            text: TABLE.into(),
            blocks: vec![Block::new(BlockKind::Table { header: 31 }, 0..TABLE.len())],
        },
    ]
}

fn claim(text: &str, cited: &[(usize, Option<&str>)]) -> Claim {
    let cited = cited.iter().map(|(passage, quote)| Cited { passage: *passage, quote: quote.map(str::to_owned) });
    Claim { text: text.into(), cited: cited.collect() }
}

fn proved(text: &str, cited: &[(usize, Option<&str>)]) -> Result<Vec<Evidence>, Flaw> {
    prove(&claim(text, cited), &grounds(), "how much leave?", Support::ByWords)
}

#[test]
fn what_is_there_is_proved_by_whole_sentences() {
    let evidence = proved("Staff get 27 working days of leave.", &[(1, Some("27 working days"))]).unwrap();
    assert_eq!(evidence[0].text(&grounds()), "Full-time staff have 27 working days of holiday a year.");
    let evidence = proved("The other parent has 12 weeks.", &[(2, Some("Other parent | 12 weeks"))]).unwrap();
    assert_eq!(evidence[0].text(&grounds()), "| Role | Weeks |\n| Other parent | 12 weeks |");
    // Without a quote, the sentence that fits best.
    let evidence = proved("Full-time staff have 27 days of holiday.", &[(1, None)]).unwrap();
    assert!(evidence[0].text(&grounds()).contains("27 working days"));
}

#[test]
fn what_is_not_there_falls() {
    let quote = Some("Full-time staff have 27 working days");
    for (text, cited, flaw) in [
        ("Staff get 27 days.", vec![], Flaw::Uncited),
        ("Staff get 27 days.", vec![(3, quote)], Flaw::NoSuchPassage(3)),
        ("Staff get 27 days.", vec![(0, quote)], Flaw::NoSuchPassage(0)),
        ("Staff get 27 days.", vec![(2, Some("27 days"))], Flaw::Misquoted("27 days".into())),
        ("Full-time staff ask at https://a.example.", vec![(1, quote)], Flaw::Address),
        ("Staff get 28 days of holiday.", vec![(1, quote)], Flaw::Figure("28".into())),
        ("Full-time staff have 27 days in Zurich.", vec![(1, quote)], Flaw::Name("Zurich".into())),
        ("Full-time staff have not 27 days.", vec![(1, quote)], Flaw::Negation),
        ("Managers decide about budgets.", vec![(1, quote)], Flaw::Unsupported),
        // The figure of another row.
        ("The other parent has 20 weeks.", vec![(2, Some("Other parent"))], Flaw::Figure("20".into())),
        // A quote that leaves out what denies.
        ("Contractors have holiday.", vec![(1, Some("Contractors have"))], Flaw::Negation),
    ] {
        assert_eq!(proved(text, &cited), Err(flaw), "{text}");
    }
    assert_eq!(proved(&"long ".repeat(300), &[(1, quote)]), Err(Flaw::TooLong));
}

#[test]
fn where_a_model_decides_words_do_not() {
    let quote = [(1, Some("27 working days"))];
    let claim = claim("全职员工每年有27天假期。", &quote);
    assert_eq!(prove(&claim, &grounds(), "", Support::ByWords), Err(Flaw::Unsupported));
    assert!(prove(&claim, &grounds(), "", Support::ByModel).is_ok());
}
