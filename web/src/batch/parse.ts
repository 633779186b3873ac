import type { Columns, Parsed } from "./rows";

/** Parse a file in a worker, with the texts from a column; rejects with the reason if it cannot be read. */
export function parseFile(file: File, columns?: Columns): Promise<Parsed> {
  const worker = new Worker(new URL("./csv.worker.ts", import.meta.url), { type: "module" });
  return new Promise<Parsed>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ parsed?: Parsed; error?: string }>) =>
      data.parsed ? resolve(data.parsed) : reject(new Error(data.error));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ file, columns });
  }).finally(() => worker.terminate());
}
