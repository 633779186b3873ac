/** Many texts at once: pasted lines or a CSV in, a table to look through and a CSV out. */

import { Button, Progress, Textarea } from "@mantine/core";
import { useRef, useState } from "react";

import { count } from "../figures";
import { Failed, OfflineNote } from "../states";
import { CsvFile, type Taken, take } from "./CsvFile";
import { Results } from "./Results";
import { type Columns, linesOf } from "./rows";
import { cancel, start, useWork } from "./work";
import "./batch.css";

const MOST = 20_000;

export default function BatchPage() {
  const now = useWork();
  const [pasted, setPasted] = useState("");
  const [taken, setTaken] = useState<Taken | null>(null);
  const [over, setOver] = useState(false);
  const turn = useRef(0);

  async function choose(file: File | null, wanted?: Columns) {
    turn.current += 1;
    const mine = turn.current;
    const read = await take(file, wanted);
    if (mine === turn.current) setTaken(read); // else something else was chosen meanwhile
  }

  const file = taken && "parsed" in taken ? taken : null;
  const given = file?.parsed ?? linesOf(pasted);
  const { texts } = given;
  const running = now.state === "running";

  return (
    <>
      <h1>Many reviews</h1>
      <OfflineNote />
      <div
        className={over ? "drop over" : "drop"}
        data-testid="drop"
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={(event) => setOver(event.currentTarget.contains(event.relatedTarget as Node | null))}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          void choose(event.dataTransfer.files[0] ?? null);
        }}
      >
        <Textarea
          label="Reviews, one a line"
          placeholder="Paste lines here, or drop a CSV"
          autosize
          minRows={4}
          maxRows={10}
          value={file ? "" : pasted}
          readOnly={file !== null}
          onChange={(event) => setPasted(event.currentTarget.value)}
        />
        <CsvFile taken={taken} choose={(file, wanted) => void choose(file, wanted)} />
      </div>
      <div className="row wrap">
        <Button disabled={texts.length === 0 || texts.length > MOST || running} onClick={() => void start(given)}>
          Ask about {count(texts.length)} {texts.length === 1 ? "text" : "texts"}
        </Button>
        {running && (
          <Button variant="default" onClick={cancel}>
            Cancel
          </Button>
        )}
        {(now.state === "cancelled" || now.state === "failed") && now.rows.length < now.texts.length && (
          <Button variant="default" onClick={() => void start(now, now.rows)}>
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
          {now.rows.length > 0 && <Results rows={now.rows} places={now.places} />}
        </section>
      )}
    </>
  );
}
