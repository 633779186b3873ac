/** The frame: where one can go, who is asking, and light or dark. */

import { Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useRef } from "react";
import { Link, Route, Switch, useLocation } from "wouter";

import { Boundary } from "./Boundary";
import { count } from "./figures";
import { settle } from "./review/labels";
import { Failed, Loading } from "./states";
import { signIn, signOut, start, type Who } from "./session/session";
import { TryPage } from "./try/TryPage";

// Only the first page is worth waiting for; the others come when they are opened.
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
  const who = useQuery({ queryKey: ["who"], queryFn: start, staleTime: Infinity, retry: false });
  const [path] = useLocation();
  const title = PAGES.find(([place]) => place === path)?.[1] ?? "Not found";

  const main = useRef<HTMLElement>(null);
  const shown = useRef(path);

  useEffect(() => {
    document.title = `${title} · Serverless Sentiment`;
  }, [title]);

  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    main.current?.focus(); // as a browser does when it opens another page
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
          {PAGES.map(([place, name]) => (
            <Link key={place} href={place} aria-current={place === path ? "page" : undefined}>
              {name}
            </Link>
          ))}
        </nav>
        <div className="frame-end">
          {who.data && <Account who={who.data} />}
          <SchemeButton />
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main}>
        {who.isPending && <Loading what="the page" />}
        {who.isError && <Failed error={who.error} retry={() => void who.refetch()} />}
        {who.data?.state === "signed_out" && <SignedOut failed={who.data.failed} />}
        {(who.data?.state === "open" || who.data?.state === "signed_in") && (
          <Boundary key={path}>
            <Suspense fallback={<Loading what="the page" />}>
              <Switch>
                <Route path="/" component={TryPage} />
                <Route path="/batch" component={BatchPage} />
                <Route path="/review" component={ReviewPage} />
                <Route path="/watch" component={WatchPage} />
                <Route path="/card" component={ModelPage} />
                <Route>
                  <h1>Nothing here</h1>
                  <p>
                    This address leads nowhere. <Link href="/">Try a review</Link> instead.
                  </p>
                </Route>
              </Switch>
            </Suspense>
          </Boundary>
        )}
      </main>
    </>
  );
}

function SignedOut({ failed }: { failed: boolean }) {
  return (
    <section className="narrow">
      <h1>Sign in</h1>
      <p>This environment answers only people it knows.</p>
      {failed && <p role="alert">Signing in did not work, or was begun too long ago. Begin again.</p>}
      <Button onClick={() => void signIn()}>Sign in</Button>
    </section>
  );
}

/** Sign out once every label is sent, or is given up. */
async function leave(): Promise<void> {
  const left = await settle();
  const question = `${count(left.length)} labels could not be sent and would be lost. Sign out all the same?`;
  if (left.length === 0 || window.confirm(question)) await signOut();
}

function Account({ who }: { who: Who }) {
  if (who.state !== "signed_in") return null;
  return (
    <Button variant="default" size="xs" onClick={() => void leave()} title={`Signed in as ${who.name}`}>
      Sign out
    </Button>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const other = useComputedColorScheme("light") === "dark" ? "light" : "dark";
  return (
    <Button variant="default" size="xs" onClick={() => setColorScheme(other)} aria-label={`Use ${other} colours`}>
      {other === "dark" ? "☾" : "☀"}
    </Button>
  );
}
