/** Parses a file away from the page, which stays responsive with a hundred thousand rows. */

import { type Columns, decoded, textsOf, textsOfLines } from "./rows";

self.onmessage = async ({ data }: MessageEvent<{ file: File; wanted?: Columns }>) => {
  try {
    const content = decoded(new Uint8Array(await data.file.arrayBuffer()));
    const read = data.file.name.toLowerCase().endsWith(".txt") ? textsOfLines : textsOf;
    self.postMessage({ parsed: read(content, data.wanted) });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};
