/** Many texts at once: pasted lines or a CSV in, a table to look through and a CSV out. */

import { Button, FileButton, Progress, SegmentedControl, Textarea, TextInput } from "@mantine/core";
import { useEffect, useReducer, useRef, useState } from "react";

import { count } from "../figures";
import { Failed, OfflineNote } from "../states";
import { parseFile } from "./parse";
import { Results } from "./Results";
import { csvOf, linesOf, type Row } from "./rows";
import { sendAll } from "./send";

const MOST = 20_000;

interface Work {
  texts: string[];
  rows: Row[];
  state: "idle" | "running" | "done" | "cancelled" | "failed";
  error: unknown;
}

type Event =
  | { type: "started"; texts: string[]; rows: Row[] }
  | { type: "answered"; rows: Row[] }
  | { type: "ended"; state: "done" | "cancelled" }
  | { type: "failed"; error: unknown };

const NOTHING: Work = { texts: [], rows: [], state: "idle", error: null };

function work(now: Work, event: Event): Work {
  switch (event.type) {
    case "started":
      return { texts: event.texts, rows: event.rows, state: "running", error: null };
    case "answered":
      return { ...now, rows: [...now.rows, ...event.rows] };
    case "ended":
      return { ...now, state: event.state };
    case "failed":
      return { ...now, state: "failed", error: event.error };
  }
}

export default function BatchPage() {
  const [pasted, setPasted] = useState("");
  const [file, setFile] = useState<{ name: string; texts: string[]; column: string | null } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [now, tell] = useReducer(work, NOTHING);
  const [shown, setShown] = useState<string>("all");
  const [wanted, setWanted] = useState("");
  const cancel = useRef<AbortController | null>(null);

  useEffect(() => () => cancel.current?.abort(), []); // nobody would see the answers to what is still unsent

  const texts = file?.texts ?? linesOf(pasted);
  const running = now.state === "running";

  async function take(dropped: File | null) {
    if (!dropped) return;
    setProblem(null);
    try {
      const parsed = await parseFile(dropped);
      if (parsed.texts.length === 0) setProblem(`${dropped.name} holds no texts. Give a CSV with a column of texts.`);
      else setFile({ name: dropped.name, ...parsed });
    } catch {
      setProblem(`${dropped.name} cannot be read as CSV.`);
    }
  }

  async function run(all: string[], done: Row[]) {
    cancel.current = new AbortController();
    const { signal } = cancel.current;
    tell({ type: "started", texts: all, rows: done });
    try {
      for await (const rows of sendAll(all.slice(done.length), signal)) tell({ type: "answered", rows });
      tell({ type: "ended", state: "done" });
    } catch (error) {
      if (signal.aborted) tell({ type: "ended", state: "cancelled" });
      else tell({ type: "failed", error });
    }
  }

  return (
    <>
      <h1>Many reviews</h1>
      <OfflineNote />
      <div
        className="drop"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          void take(event.dataTransfer.files[0] ?? null);
        }}
      >
        <Textarea
          label="Reviews, one a line"
          placeholder="Paste lines here, or drop a CSV"
          autosize
          minRows={4}
          maxRows={10}
          value={file ? "" : pasted}
          disabled={file !== null}
          onChange={(event) => setPasted(event.currentTarget.value)}
        />
        <div className="row wrap">
          <FileButton onChange={(chosen) => void take(chosen)} accept=".csv,text/csv">
            {(props) => (
              <Button variant="default" {...props}>
                Choose a CSV
              </Button>
            )}
          </FileButton>
          {file && (
            <>
              <span>
                {file.name}: {count(file.texts.length)} texts{file.column !== null && ` of column “${file.column}”`}
              </span>
              <Button variant="default" size="compact-sm" onClick={() => setFile(null)}>
                Leave out
              </Button>
            </>
          )}
        </div>
        {problem && <p role="alert">{problem}</p>}
      </div>
      <div className="row wrap">
        <Button disabled={texts.length === 0 || texts.length > MOST || running} onClick={() => void run(texts, [])}>
          Ask about {count(texts.length)} {texts.length === 1 ? "text" : "texts"}
        </Button>
        {running && (
          <Button variant="default" onClick={() => cancel.current?.abort()}>
            Cancel
          </Button>
        )}
        {(now.state === "cancelled" || now.state === "failed") && now.rows.length < now.texts.length && (
          <Button variant="default" onClick={() => void run(now.texts, now.rows)}>
            Go on with the other {count(now.texts.length - now.rows.length)}
          </Button>
        )}
        {texts.length > MOST && <span role="alert">At most {count(MOST)} texts at once; `sentiment predict` has no limit.</span>}
      </div>
      {now.state !== "idle" && (
        <section aria-label="Results">
          <Progress.Root size="lg" mt="md">
            <Progress.Section value={(100 * now.rows.length) / Math.max(now.texts.length, 1)} aria-label="Texts answered" />
          </Progress.Root>
          <p role="status" data-testid="progress">
            {count(now.rows.length)} of {count(now.texts.length)} answered{now.state === "cancelled" && ", cancelled"}
          </p>
          {now.state === "failed" && <Failed error={now.error} />}
          {now.rows.length > 0 && (
            <>
              <div className="row wrap">
                <SegmentedControl
                  aria-label="Which to show"
                  value={shown}
                  onChange={setShown}
                  data={["all", ...new Set(now.rows.map((row) => row.sentiment ?? "failed"))]}
                />
                <TextInput aria-label="Only texts with" placeholder="Only texts with …" value={wanted} onChange={(event) => setWanted(event.currentTarget.value)} />
                <Button variant="default" onClick={() => download(csvOf(now.rows))}>
                  Download CSV
                </Button>
              </div>
              <Results rows={filtered(now.rows, shown, wanted)} />
            </>
          )}
        </section>
      )}
    </>
  );
}

function filtered(rows: Row[], shown: string, wanted: string): Row[] {
  const word = wanted.trim().toLowerCase();
  return rows.filter(
    (row) => (shown === "all" || (row.sentiment ?? "failed") === shown) && (!word || row.text.toLowerCase().includes(word)),
  );
}

function download(csv: string): void {
  const url = URL.createObjectURL(new Blob([csv], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "sentiment.csv";
  link.click();
  URL.revokeObjectURL(url);
}
