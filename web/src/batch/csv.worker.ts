/** Parses a file in a worker, so that the page stays responsive with a hundred thousand rows. */

import { type Columns, decodeBytes, parseCsv, parseLinesFile } from "./rows";

self.onmessage = async ({ data }: MessageEvent<{ file: File; columns?: Columns }>) => {
  try {
    const content = decodeBytes(new Uint8Array(await data.file.arrayBuffer()));
    const parse = data.file.name.toLowerCase().endsWith(".txt") ? parseLinesFile : parseCsv;
    self.postMessage({ parsed: parse(content, data.columns) });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};
