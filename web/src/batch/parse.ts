import type { Columns, Parsed } from "./rows";

/** Parse a CSV file in a worker, its texts from the column that is wanted; rejects, saying why, when it cannot be read. */
export function parseFile(file: File, wanted?: Columns): Promise<Parsed> {
  const worker = new Worker(new URL("./csv.worker.ts", import.meta.url), { type: "module" });
  return new Promise<Parsed>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ parsed?: Parsed; error?: string }>) =>
      data.parsed ? resolve(data.parsed) : reject(new Error(data.error));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ file, wanted });
  }).finally(() => worker.terminate());
}
