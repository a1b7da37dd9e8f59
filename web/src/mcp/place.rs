//! Where links of answers lead: an assistant shows them outside of our page, so each is whole.

use crate::config::Config;

/// The place of this server, as links name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it is reached from elsewhere, if that was said.
    told: Option<String>,
    /// Where it is reached as far as is known.
    near: String,
}

impl Place {
    /// As the configuration says, or else `near`.
    pub(super) fn of(config: &Config, near: String) -> Self {
        Self { told: config.place().map(str::to_owned), near }
    }

    /// Of what is no server: where one on this machine would be.
    pub(super) fn on_this_machine(config: &Config) -> Self {
        let near = format!("http://localhost:{}{}", config.server.listen.port(), config.server.base_path);
        Self::of(config, near)
    }

    /// The link to a document: our page where it is known how that is reached, else its address in the system that it comes
    /// from, else our page as far as is known.
    pub(super) fn of_document(&self, id: &str, own: Option<&str>) -> String {
        match (&self.told, own) {
            (Some(place), _) => format!("{place}/document/{id}"),
            (None, Some(own)) => own.to_owned(),
            (None, None) => format!("{}/document/{id}", self.near),
        }
    }

    /// The same, at a passage.
    pub(super) fn of_passage(&self, id: &str, passage: u32, own: Option<&str>) -> String {
        let link = self.of_document(id, own);
        let is_ours = self.told.is_some() || own.is_none();
        if is_ours { format!("{link}?passage={passage}#passage-{passage}") } else { link }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn a_link_is_never_empty_and_leads_to_our_page_where_that_can_be_reached() {
        let id = "0123";
        let config = |place: &str| {
            let server = ServerConfig { public_url: place.into(), base_path: "/q".into(), ..ServerConfig::default() };
            Config { server, ..Config::default() }
        };
        let own = Some("smb://files/a.md");
        let near = Place::on_this_machine(&config(""));
        assert_eq!(near.of_document(id, own), "smb://files/a.md");
        assert_eq!(near.of_passage(id, 3, own), "smb://files/a.md");
        assert_eq!(near.of_document(id, None), format!("http://localhost:7700/q/document/{id}"));
        let told = Place::on_this_machine(&config("https://search.example/q/"));
        assert_eq!(told.of_document(id, own), format!("https://search.example/q/document/{id}"));
        assert_eq!(told.of_passage(id, 3, own), format!("https://search.example/q/document/{id}?passage=3#passage-3"));
    }
}
