/** Who is asking: nobody in particular, or somebody that Cognito vouches for (authorization code with PKCE).
 *
 * `/config.json` says which. The library that signs in is loaded only where it is needed. Tokens live in the
 * tab's session storage and are renewed by the refresh token; no password ever passes through this page.
 */

import type { User, UserManager } from "oidc-client-ts";

export interface SignIn {
  authority: string; // the user pool's issuer
  domain: string; // where people sign in
  client_id: string;
  scopes: string[];
}

export interface Config {
  sign_in: SignIn | null;
}

export type Who = { state: "open" } | { state: "signed_out"; failed: boolean } | { state: "signed_in"; name: string };

let manager: UserManager | null = null;
let configured: SignIn | null = null;
let renewal: Promise<User | null> | null = null;

/** Read the configuration and, where people sign in, finish what brought them back here. */
export async function start(): Promise<Who> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: HTTP ${response.status}`);
  const config = (await response.json()) as Config;
  configured = config.sign_in;
  if (!configured) return { state: "open" };
  manager = await makeManager(configured);
  const query = new URLSearchParams(window.location.search);
  if (query.has("state") && (query.has("code") || query.has("error"))) {
    // A code is good once; a page that was reloaded or opened from the history brings an old one.
    const user = await manager.signinCallback().catch(() => null);
    window.history.replaceState(null, "", (user?.state as string | undefined) ?? "/");
    if (!user) return { state: "signed_out", failed: true };
  }
  const user = await currentUser(manager);
  if (!user) return { state: "signed_out", failed: false };
  return { state: "signed_in", name: String(user.profile.email ?? user.profile.sub) };
}

/** Return the token of this moment, renewed if it has run out; null where none is needed or had. */
export async function accessToken(): Promise<string | null> {
  if (!manager) return null;
  return (await currentUser(manager))?.access_token ?? null;
}

/** Return who is signed in now. A token that has run out is renewed once, however many requests wait for it. */
async function currentUser(manager: UserManager): Promise<User | null> {
  const user = await manager.getUser();
  if (!user?.expired) return user;
  if (!user.refresh_token) return null;
  renewal ??= manager
    .signinSilent()
    .catch((error: unknown) => {
      if (error instanceof Error && error.name === "ErrorResponse") return null; // Cognito says no
      throw error; // no answer: the token may be renewed the next time
    })
    .finally(() => (renewal = null));
  return renewal;
}

/** Leave for Cognito's page, and come back to this place. */
export async function signIn(): Promise<void> {
  await manager?.signinRedirect({ state: window.location.pathname + window.location.search });
}

/** Forget the session there, and here the tokens and all that the tab kept for this person. */
export async function signOut(): Promise<void> {
  if (!manager || !configured) return;
  await manager.removeUser();
  window.sessionStorage.clear();
  const query = new URLSearchParams({ client_id: configured.client_id, logout_uri: `${window.location.origin}/` });
  window.location.assign(`${configured.domain}/logout?${query}`);
}

async function makeManager(signIn: SignIn): Promise<UserManager> {
  const { UserManager, WebStorageStateStore } = await import("oidc-client-ts");
  return new UserManager({
    authority: signIn.authority,
    // Given here, so that nothing has to be fetched from the issuer's own host.
    metadata: {
      issuer: signIn.authority,
      authorization_endpoint: `${signIn.domain}/oauth2/authorize`,
      token_endpoint: `${signIn.domain}/oauth2/token`,
    },
    client_id: signIn.client_id,
    redirect_uri: `${window.location.origin}/`,
    response_type: "code",
    scope: signIn.scopes.join(" "),
    userStore: new WebStorageStateStore({ store: window.sessionStorage }),
    stateStore: new WebStorageStateStore({ store: window.sessionStorage }),
    automaticSilentRenew: false,
  });
}
