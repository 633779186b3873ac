import type { Parsed } from "./rows";

/** Parse a CSV file in a worker; rejects when it cannot be read. */
export function parseFile(file: File): Promise<Parsed> {
  const worker = new Worker(new URL("./csv.worker.ts", import.meta.url), { type: "module" });
  return new Promise<Parsed>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ parsed?: Parsed; error?: string }>) =>
      data.parsed ? resolve(data.parsed) : reject(new Error(data.error));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
