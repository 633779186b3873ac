/** Leads to a run's Evidently page, whose signed address is asked for when it is wanted: it lasts five minutes. */

import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";

import { driftPage } from "../api/reports";
import { Failed } from "../states";

export function PageLink({ runId }: { runId: () => Promise<string> }) {
  const opened = useMutation({
    mutationFn: async () => {
      // Opened before anything is asked: later, browsers take it for a pop-up.
      const tab = window.open("", "_blank");
      if (tab) tab.opener = null;
      try {
        const url = await driftPage(await runId());
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
      <Button variant="default" size="compact-sm" loading={opened.isPending} onClick={() => opened.mutate()}>
        Open the report
      </Button>
      {opened.isError && <Failed error={opened.error} />}
    </>
  );
}
