//! Groups of a real directory: Debian's slapd, with people, groups in groups, groups in each other, and odd names.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{free_port, until};
use crate::server::Server;
use crate::support::Bench;

const PASSWORD: &str = "correct horse";
const BASE: &str = "dc=example,dc=com";

/// A running slapd in a folder of its own; killed at the end.
struct Directory {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

const PEOPLE: &str = "dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=quarry,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: quarry
userPassword: a-password-of-quarry

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: uid=anna,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: A

dn: uid=bert,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bert
cn: Bert
sn: B

dn: uid=twin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
uid: twin-2
cn: Twin
sn: T

dn: cn=Twin \\2a\\28second\\29,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin *(second)
sn: T

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: uid=anna,ou=people,dc=example,dc=com
member: uid=bert,ou=people,dc=example,dc=com

dn: cn=hr,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: hr
member: uid=anna,ou=people,dc=example,dc=com

dn: cn=Everybody here,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: Everybody here
member: cn=staff,ou=groups,dc=example,dc=com

dn: cn=round,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: round
member: cn=hr,ou=groups,dc=example,dc=com
member: cn=and round,ou=groups,dc=example,dc=com

dn: cn=and round,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: and round
member: cn=round,ou=groups,dc=example,dc=com
";

fn run(command: &mut Command) {
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}: run .ci/identity"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate for this machine, and the authority that has signed it.
fn certificates(folder: &Path) {
    let openssl = |args: &[&str]| run(Command::new("openssl").current_dir(folder).args(args));
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "2",
        "-subj",
        "/CN=Authority",
    ]);
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
        "-subj",
        "/CN=localhost",
    ]);
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
}

impl Directory {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        certificates(root);
        fs::create_dir(root.join("db")).unwrap();
        let at = root.display();
        let config = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {at}/pid\n\
             TLSCACertificateFile {at}/ca.pem\nTLSCertificateFile {at}/server.pem\nTLSCertificateKeyFile {at}/server.key\n\
             database mdb\nsuffix \"{BASE}\"\nrootdn \"cn=admin,{BASE}\"\nrootpw a-password\ndirectory {at}/db\n\
             access to * by dn.exact=\"cn=quarry,{BASE}\" read by anonymous auth by * none\n"
        );
        fs::write(root.join("slapd.conf"), config).unwrap();
        fs::write(root.join("people.ldif"), PEOPLE).unwrap();
        run(Command::new("/usr/sbin/slapadd").current_dir(root).args(["-f", "slapd.conf", "-l", "people.ldif"]));
        let port = free_port();
        let child = Self::serve(root, port);
        Self { child, port, folder }
    }

    fn serve(root: &Path, port: u16) -> Child {
        let config = root.join("slapd.conf");
        let mut command = Command::new("/usr/sbin/slapd");
        command.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}/"), "-f"]).arg(config);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("slapd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        child
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn start_again(&mut self) {
        self.child = Self::serve(self.folder.path(), self.port);
    }

    /// Changes what it knows.
    fn change(&self, ldif: &str) {
        let path = self.folder.path().join("change.ldif");
        fs::write(&path, ldif).unwrap();
        let (address, admin) = (format!("ldap://127.0.0.1:{}", self.port), format!("cn=admin,{BASE}"));
        run(Command::new("ldapmodify").args(["-x", "-H", &address, "-D", &admin, "-w", "a-password", "-f"]).arg(path));
    }

    /// The settings by which quarry finds it.
    fn config(&self, more: &str) -> String {
        let root = self.folder.path();
        fs::write(root.join("password"), "a-password-of-quarry\n").unwrap();
        format!(
            "[auth.ldap]\nurl = \"ldap://localhost:{}\"\nstart_tls = true\nca_file = \"{at}/ca.pem\"\nbind_dn = \"cn=quarry,{BASE}\"\n\
             password_file = \"{at}/password\"\nuser_base = \"ou=people,{BASE}\"\ngroup_base = \"ou=groups,{BASE}\"\n{more}\n",
            self.port,
            at = root.display()
        )
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.stop();
    }
}

fn cookie(server: &Server, name: &str) -> String {
    let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
    let own = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let reply = server.unfollowed("POST", "/sign-in", &own, form.as_bytes());
    assert_eq!(reply.status, 303, "{}", reply.text);
    reply.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// As whom somebody asks, as the page says it; or the code of what they are told.
fn known_as(server: &Server, cookie: &str) -> String {
    let reply = server.unfollowed("GET", "/status", &[("accept", "text/html"), ("cookie", cookie)], &[]);
    if reply.status != 200 {
        return server.request("GET", "/api/v1/status", &[("cookie", cookie)], &[]).json()["code"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    let at = reply.text.find("title=\"everyone, ").unwrap() + "title=\"".len();
    reply.text[at..].split('"').next().unwrap().to_owned()
}

fn with_people(directory: &Directory, config: &str) -> (Bench, Server) {
    let bench = Bench::with_documents(2);
    for name in ["anna", "bert", "twin", "nobody"] {
        bench.run_with(&["users", "add", name, "--password-stdin"], &format!("{PASSWORD}\n")).succeeded();
    }
    let docs = bench.docs().display().to_string();
    let server = Server::configured(&bench, &directory.config(config), &[&docs]).ready();
    (bench, server)
}

#[test]
#[ignore = "needs slapd and ldap-utils: run .ci/identity"]
fn groups_of_a_directory_are_those_of_whoever_signs_in() {
    let mut directory = Directory::start();
    let (_bench, server) = with_people(&directory, "cache_minutes = 0\ngrace_minutes = 0");
    let [anna, bert, twin, nobody] = ["anna", "bert", "twin", "nobody"].map(|name| cookie(&server, name));
    let all =
        "everyone, group:Everybody here, group:and round, group:hr, group:round, group:staff, signed-in, user:anna";
    assert_eq!(known_as(&server, &anna), all);
    assert_eq!(known_as(&server, &bert), "everyone, group:Everybody here, group:staff, signed-in, user:bert");
    assert_eq!(known_as(&server, &nobody), "everyone, signed-in, user:nobody", "the directory knows no such person");
    assert_eq!(known_as(&server, &twin), "groups-unknown", "who of the two it is cannot be told");

    directory.change(&format!(
        "dn: cn=hr,ou=groups,{BASE}\nchangetype: modify\nreplace: member\nmember: uid=bert,ou=people,{BASE}\n"
    ));
    assert_eq!(known_as(&server, &anna), "everyone, group:Everybody here, group:staff, signed-in, user:anna");
    assert!(known_as(&server, &bert).contains("group:hr"));

    directory.stop();
    assert_eq!(known_as(&server, &anna), "directory-away", "never fewer groups than there are");
    directory.start_again();
    let started = Instant::now();
    while known_as(&server, &anna) == "directory-away" {
        assert!(started.elapsed() < Duration::from_secs(20), "it is asked again");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
#[ignore = "needs slapd and ldap-utils: run .ci/identity"]
fn what_a_directory_said_counts_for_a_while_and_its_settings_are_what_they_say() {
    let mut directory = Directory::start();
    let (_bench, server) = with_people(&directory, "cache_minutes = 0\ngrace_minutes = 5\nnested = false");
    let anna = cookie(&server, "anna");
    let flat = "everyone, group:hr, group:staff, signed-in, user:anna";
    assert_eq!(known_as(&server, &anna), flat, "without groups of groups");
    directory.stop();
    assert_eq!(known_as(&server, &anna), flat, "what it said counts for a while");
    assert_eq!(known_as(&server, &cookie(&server, "bert")), "directory-away", "of bert it has said nothing yet");
    directory.start_again();
    drop(server);
    let config = "group_name = \"dn\"\n[server]\nallowed_hosts = []\n";
    let (_bench, server) = with_people(&directory, config);
    let by_dn = known_as(&server, &cookie(&server, "anna"));
    assert!(by_dn.contains("group:cn=Everybody here,ou=groups,dc=example,dc=com"), "{by_dn}");
    drop(server);
    let strange = directory.config("").replace("ca_file", "# ca_file");
    let bench = Bench::with_documents(1);
    bench.run_with(&["users", "add", "anna", "--password-stdin"], &format!("{PASSWORD}\n")).succeeded();
    let server = Server::configured(&bench, &strange, &[]);
    assert_eq!(
        known_as(&server, &cookie(&server, "anna")),
        "directory-away",
        "a certificate of a stranger is not trusted"
    );
}
