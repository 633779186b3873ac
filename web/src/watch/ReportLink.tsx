/** Opens a run's Evidently report; its presigned URL is requested on click, because it expires after five minutes. */

import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";

import { reportUrl } from "../api/reports";
import { Failed } from "../states";

export function ReportLink({ runId }: { runId: () => Promise<string> }) {
  const open = useMutation({
    mutationFn: async () => {
      // Opened before the request: afterwards, browsers block it as a pop-up.
      const tab = window.open("", "_blank");
      if (tab) tab.opener = null;
      try {
        const url = await reportUrl(await runId());
        if (tab) tab.location.replace(url);
        else window.location.assign(url);
      } catch (error) {
        tab?.close();
        throw error;
      }
    },
  });
  return (
    <>
      <Button variant="default" size="compact-sm" loading={open.isPending} onClick={() => open.mutate()}>
        Open the report
      </Button>
      {open.isError && <Failed error={open.error} />}
    </>
  );
}
