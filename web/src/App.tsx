/** The frame of the page: navigation, account, and color scheme. */

import { Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef } from "react";
import { Link, Route, Switch, useLocation } from "wouter";

import { ErrorBoundary } from "./ErrorBoundary";
import { count } from "./format";
import { sendPending } from "./review/pendingLabels";
import { Failed, Loading } from "./states";
import { signIn, signOut, start, type Session } from "./session/session";
import { TryPage } from "./try/TryPage";

// The first page is loaded at once, the others when they are opened.
const BatchPage = lazy(() => import("./batch/BatchPage"));
const ReviewPage = lazy(() => import("./review/ReviewPage"));
const WatchPage = lazy(() => import("./watch/WatchPage"));
const ModelPage = lazy(() => import("./models/ModelPage"));

const PAGES = [
  ["/", "Try"],
  ["/batch", "Batch"],
  ["/review", "Review"],
  ["/watch", "Watch"],
  ["/card", "Model"],
] as const;

export function App() {
  const session = useQuery({ queryKey: ["session"], queryFn: start, staleTime: Infinity, retry: false });
  const [path] = useLocation();
  const title = PAGES.find(([href]) => href === path)?.[1] ?? "Page not found";

  const main = useRef<HTMLElement>(null);
  const shown = useRef(path);

  useEffect(() => {
    document.title = `${title} · Serverless Sentiment`;
  }, [title]);

  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    main.current?.focus(); // as browsers do after navigation
  }, [path]);

  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="frame">
        <Link href="/" className="brand">
          Serverless Sentiment
        </Link>
        <nav aria-label="Pages">
          {PAGES.map(([href, name]) => (
            <Link key={href} href={href} aria-current={href === path ? "page" : undefined}>
              {name}
            </Link>
          ))}
        </nav>
        <div className="frame-end">
          {session.data && <Account session={session.data} />}
          <SchemeButton />
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        {session.isPending && <Loading what="the page" />}
        {session.isError && <Failed error={session.error} retry={() => void session.refetch()} />}
        {session.data?.state === "signed_out" && <SignedOut failed={session.data.failed} />}
        {(session.data?.state === "open" || session.data?.state === "signed_in") && (
          <ErrorBoundary key={path}>
            <Suspense fallback={<Loading what="the page" />}>
              <Switch>
                <Route path="/" component={TryPage} />
                <Route path="/batch" component={BatchPage} />
                <Route path="/review" component={ReviewPage} />
                <Route path="/watch" component={WatchPage} />
                <Route path="/card" component={ModelPage} />
                <Route>
                  <h1>Page not found</h1>
                  <p>
                    <Link href="/">Classify a review</Link> instead.
                  </p>
                </Route>
              </Switch>
            </Suspense>
          </ErrorBoundary>
        )}
      </main>
    </>
  );
}

function SignedOut({ failed }: { failed: boolean }) {
  return (
    <section className="narrow">
      <h1>Sign in</h1>
      <p>Sign in to use this environment.</p>
      {failed && <p role="alert">Sign-in failed or expired. Try again.</p>}
      <Button onClick={() => void signIn()}>Sign in</Button>
    </section>
  );
}

/** Sign out once all labels are sent, or the user discards them. */
async function sendAndSignOut(): Promise<void> {
  const unsent = await sendPending();
  const question = `${count(unsent.length)} labels could not be sent and will be lost. Sign out anyway?`;
  if (unsent.length === 0 || window.confirm(question)) await signOut();
}

function Account({ session }: { session: Session }) {
  if (session.state !== "signed_in") return null;
  return (
    <Button variant="default" size="xs" onClick={() => void sendAndSignOut()} title={`Signed in as ${session.name}`}>
      Sign out
    </Button>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme("light") === "dark" ? "light" : "dark";
  return (
    <Button variant="default" size="xs" onClick={() => setColorScheme(other)} aria-label={`Use ${other} mode`}>
      {other === "dark" ? "☾" : "☀"}
    </Button>
  );
}
