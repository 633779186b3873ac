/** The session: without sign-in, or signed in at Cognito (authorization code with PKCE).
 *
 * `/config.json` decides which. The sign-in library is loaded only if needed. Tokens are kept in the tab's session
 * storage and renewed by the refresh token; the page never sees a password.
 */

import type { User, UserManager } from "oidc-client-ts";

export interface SignIn {
  authority: string; // the user pool's issuer
  domain: string; // of the sign-in page
  client_id: string;
  scopes: string[];
}

export interface Config {
  sign_in: SignIn | null;
}

export type Session = { state: "open" } | { state: "signed_out"; failed: boolean } | { state: "signed_in"; name: string };

let manager: UserManager | null = null;
let configured: SignIn | null = null;
let renewal: Promise<User | null> | null = null;

/** Read the configuration and, after a redirect from the sign-in page, finish signing in. */
export async function start(): Promise<Session> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: HTTP ${response.status}`);
  const config = (await response.json()) as Config;
  configured = config.sign_in;
  if (!configured) return { state: "open" };
  manager = await makeManager(configured);
  const query = new URLSearchParams(window.location.search);
  if (query.has("state") && (query.has("code") || query.has("error"))) {
    // A code works once; a reloaded page or one from the history has an old one.
    const user = await manager.signinCallback().catch(() => null);
    window.history.replaceState(null, "", (user?.state as string | undefined) ?? "/");
    if (!user) return { state: "signed_out", failed: true };
  }
  const user = await currentUser(manager);
  if (!user) return { state: "signed_out", failed: false };
  return { state: "signed_in", name: String(user.profile.email ?? user.profile.sub) };
}

/** Return the access token, renewed if it has expired; null without sign-in. */
export async function accessToken(): Promise<string | null> {
  if (!manager) return null;
  return (await currentUser(manager))?.access_token ?? null;
}

/** Return the signed-in user. An expired token is renewed once for all waiting requests. */
async function currentUser(manager: UserManager): Promise<User | null> {
  const user = await manager.getUser();
  if (!user?.expired) return user;
  if (!user.refresh_token) return null;
  renewal ??= manager
    .signinSilent()
    .catch((error: unknown) => {
      if (error instanceof Error && error.name === "ErrorResponse") return null; // Cognito refused
      throw error; // no response: renewing may work the next time
    })
    .finally(() => (renewal = null));
  return renewal;
}

/** Go to Cognito's sign-in page, and return to the current URL. */
export async function signIn(): Promise<void> {
  await manager?.signinRedirect({ state: window.location.pathname + window.location.search });
}

/** Sign out at Cognito and clear the tab's storage. */
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
    // Set here, so that nothing has to be fetched from the issuer.
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
