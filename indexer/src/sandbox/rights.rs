//! Rights on files and the network, by Landlock: a process gives them up for itself and all it starts, without being
//! root. See <https://docs.kernel.org/userspace-api/landlock.html>.

#[cfg(target_os = "linux")]
pub(super) use linux::{nothing, reading_files};

#[cfg(not(target_os = "linux"))]
pub(super) fn nothing() -> Result<String, String> {
    Err("Landlock is a part of Linux".to_string())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reading_files() -> Result<String, String> {
    Err("Landlock is a part of Linux".to_string())
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr,
        RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };

    /// The newest set of rights that is asked for. Kernels that know fewer enforce those they know.
    const NEWEST: ABI = ABI::V6;

    /// No file can be opened, listed, made or removed; no TCP port be bound or connected to; no process outside be sent
    /// a signal. What is open already stays usable.
    pub(in crate::sandbox) fn nothing() -> Result<String, String> {
        enforce(Ok)
    }

    /// As [`nothing`], but files may be read and programs run, and `/dev/null` be written.
    pub(in crate::sandbox) fn reading_files() -> Result<String, String> {
        enforce(|ruleset| {
            let all = PathBeneath::new(path("/")?, AccessFs::from_read(NEWEST));
            let null = PathBeneath::new(path("/dev/null")?, AccessFs::from_file(NEWEST));
            ruleset.add_rule(all).and_then(|ruleset| ruleset.add_rule(null)).map_err(words)
        })
    }

    fn path(path: &str) -> Result<PathFd, String> {
        PathFd::new(path).map_err(|error| error.to_string())
    }

    fn enforce(permit: impl FnOnce(RulesetCreated) -> Result<RulesetCreated, String>) -> Result<String, String> {
        let ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(NEWEST)))
            .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
            .and_then(Ruleset::create)
            .map_err(words)?;
        describe(&permit(ruleset)?.restrict_self().map_err(words)?)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
    fn words(error: RulesetError) -> String {
        error.to_string()
    }

    fn describe(status: &RestrictionStatus) -> Result<String, String> {
        let version = match status.landlock {
            LandlockStatus::Available { effective_abi, kernel_abi } => {
                kernel_abi.map_or_else(|| format!("{}", effective_abi as i32), |abi| abi.to_string())
            }
            LandlockStatus::NotEnabled => return Err("Landlock is not enabled in this kernel".to_string()),
            LandlockStatus::NotImplemented => return Err("this kernel has no Landlock".to_string()),
        };
        match status.ruleset {
            RulesetStatus::FullyEnforced => Ok(format!("Landlock, version {version}")),
            RulesetStatus::PartiallyEnforced => Ok(format!("Landlock, version {version}: in part")),
            RulesetStatus::NotEnforced => Err("Landlock enforces nothing".to_string()),
        }
    }
}
