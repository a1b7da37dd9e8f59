//! How quarry is known at a place: a header that goes to the configured host alone, made of what a file or the environment
//! holds, and never shown.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::ConnectError;
use crate::settings::Settings;

/// Most bytes of a secret.
const MOST: u64 = 16 << 10;

/// A header with a secret in it. Debugging shows its name, not its value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Login {
    /// What the settings name, read now: a secret that was changed holds from the next sync on.
    ///
    /// # Errors
    /// A file cannot be read, or does not hold what it should.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, ConnectError> {
        let Settings { user, password_file, password_env, token_file, token_env, header_file, .. } = settings;
        if let Some(user) = user {
            let password =
                secret(("password_file", password_file.as_deref()), ("password_env", password_env.as_deref()))?;
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            return Ok(Some(Self { name: "Authorization".to_owned(), value }));
        }
        if token_file.is_some() || token_env.is_some() {
            let token = secret(("token_file", token_file.as_deref()), ("token_env", token_env.as_deref()))?;
            if !token.chars().all(|c| c.is_ascii_graphic()) {
                return Err(wrong("token_file, token_env", "a token of letters, digits and signs"));
            }
            return Ok(Some(Self { name: "Authorization".to_owned(), value: format!("Bearer {token}") }));
        }
        let Some(path) = header_file else { return Ok(None) };
        let line = read("header_file", path)?;
        let expected = "a line such as `Cookie: session=..`";
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("header_file", expected))?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        // They would say where a request ends, and who is asked.
        let is_taken = ["host", "content-length", "transfer-encoding", "connection"]
            .iter()
            .any(|taken| name.eq_ignore_ascii_case(taken));
        if !is_name || is_taken || value.is_empty() || !value.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(wrong("header_file", expected));
        }
        Ok(Some(Self { name: name.to_owned(), value: value.to_owned() }))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

fn wrong(setting: &'static str, expected: &str) -> ConnectError {
    ConnectError::Setting { setting, expected: format!("expected it to hold {expected}") }
}

/// What a file holds, or else a variable.
pub(crate) fn secret(
    (file_setting, file): (&'static str, Option<&Path>),
    (variable_setting, variable): (&'static str, Option<&str>),
) -> Result<String, ConnectError> {
    if let Some(file) = file {
        return read(file_setting, file);
    }
    let name = variable.unwrap_or_default();
    match std::env::var(name).map(|value| value.trim().to_owned()) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(ConnectError::Setting {
            setting: variable_setting,
            expected: format!("expected the variable {name} of the environment to hold it; it is not set"),
        }),
    }
}

/// The one line of a file.
pub(crate) fn read(setting: &'static str, path: &Path) -> Result<String, ConnectError> {
    let failed = |source| ConnectError::SettingFile { setting, path: path.to_path_buf(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > MOST {
        return Err(wrong(setting, "one line"));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let line = text.trim();
    if line.is_empty() || line.contains(['\n', '\r']) {
        return Err(wrong(setting, "one line"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_from_files_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hunter2\n").unwrap();
        let at = || Settings::at("https://wiki.example/");
        let known = |settings: Settings| Login::of(&settings);
        assert_eq!(known(at()).unwrap(), None);
        let basic = Settings { user: Some("me".into()), password_file: Some(file.clone()), ..at() };
        let login = known(basic).unwrap().unwrap();
        assert_eq!(login.value, "Basic bWU6aHVudGVyMg==");
        assert!(!format!("{login:?}").contains("bWU6"));
        let bearer = Settings { token_file: Some(file.clone()), ..at() };
        assert_eq!(known(bearer).unwrap().unwrap().value, "Bearer hunter2");
        let header = || Settings { header_file: Some(file.clone()), ..at() };
        std::fs::write(&file, "Cookie: session=hunter2; a=b\n").unwrap();
        let login = known(header()).unwrap().unwrap();
        assert_eq!((login.name.as_str(), login.value.as_str()), ("Cookie", "session=hunter2; a=b"));
        for bad in ["", "hunter2", "Host: hunter2", "A b: hunter2", "A: hunter2\nB: c", "A:", "content-length: 2"] {
            std::fs::write(&file, bad).unwrap();
            let error = known(header()).unwrap_err().to_string();
            assert!(
                error.contains("header_file") && error.contains("expected") && !error.contains("hunter2"),
                "{error}"
            );
        }
        let unset = Settings { token_env: Some("QUARRY_TEST_NOT_SET".into()), ..at() };
        assert!(known(unset).unwrap_err().to_string().contains("QUARRY_TEST_NOT_SET"));
        let missing = Settings { token_file: Some(folder.path().join("none")), ..at() };
        assert!(known(missing).unwrap_err().to_string().contains("cannot read"));
    }
}
