/** Batch classification: pasted lines or a CSV in, a results table and a CSV out. */

import { Button, Progress, Textarea } from "@mantine/core";
import { useRef, useState } from "react";

import { count } from "../format";
import { Failed, OfflineNote } from "../states";
import { CsvFile, type ChosenFile, readFile } from "./CsvFile";
import { Results } from "./Results";
import { type Columns, parseLines } from "./rows";
import { cancel, start, useBatchJob } from "./job";
import "./batch.css";

const MAX_TEXTS = 20_000;

export default function BatchPage() {
  const job = useBatchJob();
  const [pasted, setPasted] = useState("");
  const [chosenFile, setChosenFile] = useState<ChosenFile | null>(null);
  const [dragging, setDragging] = useState(false);
  const latest = useRef(0);

  async function choose(file: File | null, columns?: Columns) {
    latest.current += 1;
    const request = latest.current;
    const read = await readFile(file, columns);
    if (request === latest.current) setChosenFile(read); // else another file was chosen meanwhile
  }

  const file = chosenFile && "parsed" in chosenFile ? chosenFile : null;
  const input = file?.parsed ?? parseLines(pasted);
  const { texts } = input;
  const running = job.state === "running";

  return (
    <>
      <h1>Classify many reviews</h1>
      <OfflineNote />
      <div
        className={dragging ? "drop over" : "drop"}
        data-testid="drop"
        onDragOver={(event) => {
          event.preventDefault();
          setDragging(true);
        }}
        onDragLeave={(event) => setDragging(event.currentTarget.contains(event.relatedTarget as Node | null))}
        onDrop={(event) => {
          event.preventDefault();
          setDragging(false);
          void choose(event.dataTransfer.files[0] ?? null);
        }}
      >
        <Textarea
          label="Reviews, one per line"
          placeholder="Paste lines here, or drop a CSV"
          autosize
          minRows={4}
          maxRows={10}
          value={file ? "" : pasted}
          readOnly={file !== null}
          onChange={(event) => setPasted(event.currentTarget.value)}
        />
        <CsvFile chosenFile={chosenFile} choose={(file, columns) => void choose(file, columns)} />
      </div>
      <div className="row wrap">
        <Button disabled={texts.length === 0 || texts.length > MAX_TEXTS || running} onClick={() => void start(input)}>
          Classify {count(texts.length)} {texts.length === 1 ? "text" : "texts"}
        </Button>
        {running && (
          <Button variant="default" onClick={cancel}>
            Cancel
          </Button>
        )}
        {(job.state === "canceled" || job.state === "failed") && job.rows.length < job.texts.length && (
          <Button variant="default" onClick={() => void start(job, job.rows)}>
            Resume ({count(job.texts.length - job.rows.length)} left)
          </Button>
        )}
        {texts.length > MAX_TEXTS && <span role="alert">At most {count(MAX_TEXTS)} texts; for more, use `sentiment predict`.</span>}
      </div>
      {job.state !== "idle" && (
        <section aria-label="Results">
          <Progress.Root size="lg" mt="md">
            <Progress.Section value={(100 * job.rows.length) / Math.max(job.texts.length, 1)} aria-label="Texts classified" />
          </Progress.Root>
          <p role="status" data-testid="progress">
            {count(job.rows.length)} of {count(job.texts.length)} classified{job.state === "canceled" && ", canceled"}
          </p>
          {job.state === "failed" && <Failed error={job.error} />}
          {job.rows.length > 0 && <Results rows={job.rows} rowNumbers={job.rowNumbers} />}
        </section>
      )}
    </>
  );
}
