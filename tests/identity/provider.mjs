// An OpenID Connect provider for the tests: npm's oidc-provider with people who can be changed while it runs.
//
//     node provider.mjs PORT QUARRY_PORT
//
// The folder of its packages is in the variable QUARRY_IDENTITY. PUT /people replaces all people by the JSON that is sent:
// {"anna": {"name": "Anna", "groups": ["staff"]}}. GET /log tells which sign-outs it has sent.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, quarryPort] = process.argv.slice(2);
const require = createRequire(`${process.env.QUARRY_IDENTITY}/package.json`);
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

const issuer = `http://127.0.0.1:${port}`;
const quarry = `http://127.0.0.1:${quarryPort}`;
let people = {};
const log = [];

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "quarry",
      client_secret: "a-secret-of-thirty-two-characters",
      redirect_uris: [`${quarry}/sign-in/callback`],
      post_logout_redirect_uris: [`${quarry}/sign-in`],
      backchannel_logout_uri: `${quarry}/sign-in/back-channel`,
      backchannel_logout_session_required: true,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    },
  ],
  async findAccount(_, id) {
    const person = people[id];
    if (!person) return undefined;
    return { accountId: id, claims: async () => ({ sub: id, preferred_username: id, ...person }) };
  },
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    groups: ["groups"],
  },
  // Groups are told by userinfo, as the standard has it.
  conformIdTokenClaims: true,
  features: { backchannelLogout: { enabled: true } },
  // quarry is on this machine, where it refuses to send anything of its own accord.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  pkce: { required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
  cookies: { keys: ["a key of the tests"] },
});
provider.on("backchannel.success", (_, client, account) => log.push(`success ${client.clientId} ${account}`));
provider.on("backchannel.error", (_, error, client, account) => log.push(`error ${client.clientId} ${account} ${error.message}`));
provider.on("server_error", (_, error) => console.error(error));

const answer = provider.callback();
createServer((request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (request.method === "PUT" && pathname === "/people") {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      people = JSON.parse(body);
      response.writeHead(204).end();
    });
  } else if (pathname === "/log") {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(log));
  } else {
    answer(request, response);
  }
}).listen(Number(port), "127.0.0.1", () => console.log(`listening at ${issuer}`));
