/** Parses a file away from the page, which stays responsive with a hundred thousand rows. */

import { textsOf } from "./rows";

self.onmessage = async ({ data }: MessageEvent<File>) => {
  try {
    self.postMessage({ parsed: textsOf(await data.text()) });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};
