/** Leads to a run's Evidently page, whose signed address is asked for when it is wanted: it lasts five minutes. */

import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";

import { driftPage, type DriftRun } from "../api/reports";
import { Failed } from "../states";

export function PageLink({ run }: { run: DriftRun }) {
  const opened = useMutation({
    mutationFn: () => driftPage(run.id),
    onSuccess: ({ url }) => window.open(url, "_blank", "noopener"),
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
