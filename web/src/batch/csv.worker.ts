/** Parses a file away from the page, which stays responsive with a hundred thousand rows. */

import { type Columns, decoded, textsOf } from "./rows";

self.onmessage = async ({ data }: MessageEvent<{ file: File; wanted?: Columns }>) => {
  try {
    const csv = decoded(new Uint8Array(await data.file.arrayBuffer()));
    self.postMessage({ parsed: textsOf(csv, data.wanted) });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};
